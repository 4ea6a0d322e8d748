/** The writer's half of the outbox in an SQLite file. */
import type { WatermarkState, WriterStore } from '#outbox';
import { RelayError } from '#runtime';
import { append, type TakeMoved } from './append.ts';
import { readGaps } from './gap-pages.ts';
import { readLanesOf, registerSource } from './register-source.ts';
import { acceptSource, haltSource, loadTableFacts, noteTableFacts } from './source-state.ts';
import { openStorage, type Storage, type StoreOptions } from './storage.ts';
import { NOW } from './tables.ts';
import { readWatermark } from './watermark-row.ts';

export interface WriterStoreOptions extends StoreOptions {
  /** By source: what leaves the application's table as it is moved. Sources in mode `append` have none. */
  readonly takeMoved?: ReadonlyMap<string, TakeMoved>;
}

const NOTHING_LEAVES: TakeMoved = () => undefined;

export function createWriterStore(options: WriterStoreOptions): WriterStore {
  const storage = openStorage(options);
  const { file, tables } = storage;
  return {
    loadWatermark: (source) => file.read((sql) => readWatermark(sql, tables, source)),
    loadGaps: (source) => file.read((sql) => readGaps(sql, tables, source)),
    registerSource: (request) => registerSource(storage, request),
    lanesOf: (source) => file.read((sql) => readLanesOf(sql, tables, source)),
    beginTerm: (source, leader) => beginTerm(storage, source, leader),
    append: (request) => append(storage, request, options.takeMoved?.get(request.source) ?? NOTHING_LEAVES),
    loadTableFacts: (source) => loadTableFacts(storage, source),
    noteTableFacts: (source, epoch, facts) => noteTableFacts(storage, source, epoch, facts),
    haltSource: (halt) => haltSource(storage, halt),
    acceptSource: (acceptance) => acceptSource(storage, acceptance),
  };
}

/** Raises the epoch: from here on every append of an earlier term is fenced. */
function beginTerm({ file, tables }: Storage, source: string, leader: string): Promise<WatermarkState> {
  const raise = `UPDATE ${tables.watermark} SET epoch = epoch + 1, leader = ?, updated_at = ${NOW} WHERE source = ? AND state = 'running'`;
  return file.write((sql) => {
    sql.run(raise, leader, source);
    const state = readWatermark(sql, tables, source);
    if (state === null) throw new RelayError('INVARIANT_BROKEN', `source ${source} is not registered`);
    return state;
  });
}
