/** Waits until every row that the sources of a file hold now was moved, delivered and deleted, and none waits for a retry. */
import type { Config } from '#config';
import { systemClock } from '#runtime';
import { createSenderStore, type SqliteFile } from '#sqlite-storage';
import type { Operator } from '../wiring/operator.ts';
import { rowsInTurn } from '../wiring/rows-in-turn.ts';
import { pickSources } from '../wiring/verify-delivery.ts';
import { sqliteOperator } from './sqlite-operator.ts';
import { tablesOfFile } from './tables-of-file.ts';

export interface FileDrainedOptions {
  readonly file: SqliteFile;
  readonly config: Config;
  /** Names of the sources; all of them when empty. */
  readonly only: readonly string[];
  readonly deadlineMs: number;
}

const POLL_MS = 100;

/** Null when everything is delivered; otherwise what is still waiting after `deadlineMs`. */
export async function untilFileDrained(options: FileDrainedOptions): Promise<string | null> {
  const { file, config, deadlineMs } = options;
  const operator = await sqliteOperator(file, config);
  const lookAtTable = tablesOfFile(file);
  const wanted = new Map<string, bigint>();
  for (const source of pickSources(config.sources, options.only)) {
    const { highest } = await lookAtTable(source, await operator.loadWatermark(source.name));
    wanted.set(source.name, highest ?? 0n);
  }
  const endMs = systemClock.nowMs() + deadlineMs;
  let movedAtMs: number | null = null;
  for (;;) {
    const moving = movedAtMs === null ? await whatIsNotMoved(operator, wanted) : null;
    if (moving === null) movedAtMs ??= systemClock.nowMs();
    const why = moving ?? (await whatIsNotDelivered(options, operator, wanted, movedAtMs ?? 0));
    if (why === null || systemClock.nowMs() + POLL_MS > endMs) return why;
    await systemClock.sleep(POLL_MS);
  }
}

async function whatIsNotMoved(operator: Operator, wanted: ReadonlyMap<string, bigint>): Promise<string | null> {
  for (const [source, highest] of wanted) {
    const position = (await operator.loadWatermark(source))?.position ?? 0n;
    if (position < highest) return `source ${source} is moved up to ${position} of ${highest}`;
  }
  return null;
}

/** A row that was in the outbox at `movedAtMs` is older than the time that passed since then. */
async function whatIsNotDelivered(
  { file, config }: FileDrainedOptions,
  operator: Operator,
  wanted: ReadonlyMap<string, bigint>,
  movedAtMs: number,
): Promise<string | null> {
  const passedMs = systemClock.nowMs() - movedAtMs;
  const lanes = await operator.outboxStatistics();
  const full = lanes.filter(({ source, oldestAgeMs }) => wanted.has(source) && (oldestAgeMs ?? -1) >= passedMs);
  if (full.length > 0) return `${full.reduce((sum, { rows }) => sum + rows, 0)} rows in the outbox`;
  const { retrying, waiting } = await operator.countAside();
  if (retrying > 0) return `${retrying} rows wait for a retry`;
  if (waiting > 0) return `${waiting} rows wait for topics or partitions that take nothing`;
  const theirs = lanes.filter(({ source }) => wanted.has(source));
  const turns = await rowsInTurn(createSenderStore({ file, tables: config.tables }), theirs);
  return turns > 0 ? `${turns} rows that waited behind another of their key are next` : null;
}
