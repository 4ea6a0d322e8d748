/** The writer's half of the outbox on a database. */
import type { WriterStore } from '#outbox';
import { append, appendStatements } from './append.ts';
import { beginTerm } from './begin-term.ts';
import { lanesOf } from './lanes-of.ts';
import { loadGaps, loadWatermark } from './load-watermark.ts';
import { registerSource } from './register-source.ts';
import { acceptSource, haltSource, loadTableFacts, noteTableFacts } from './source-state.ts';
import { openStorage, type StoreOptions } from './storage.ts';

export function createWriterStore(options: StoreOptions): WriterStore {
  const storage = openStorage(options);
  const statements = appendStatements(storage);
  return {
    loadWatermark: (source) => loadWatermark(storage, source),
    loadGaps: (source) => loadGaps(storage, source),
    registerSource: (request) => registerSource(storage, request),
    lanesOf: (source) => lanesOf(storage, source),
    beginTerm: (source, leader) => beginTerm(storage, source, leader),
    append: (request, onUnderWay) => append(storage, statements, request, onUnderWay),
    loadTableFacts: (source) => loadTableFacts(storage, source),
    noteTableFacts: (source, epoch, facts) => noteTableFacts(storage, source, epoch, facts),
    haltSource: (halt) => haltSource(storage, halt),
    acceptSource: (acceptance) => acceptSource(storage, acceptance),
  };
}
