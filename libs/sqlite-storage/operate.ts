/** What `status`, `verify` and the operator's commands ask of the file, and change in it. */
import {
  type AsideRow,
  type AsideState,
  type LaneBacklog,
  laneEnd,
  laneFloor,
  laneOf,
  type MemberKind,
  type MemberStatus,
  type WaitingRow,
  type WatermarkState,
} from '#outbox';
import { RelayError, readStalls } from '#runtime';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import { bufferOf, openStorage, type StoreOptions } from './storage.ts';
import { NOW } from './tables.ts';
import { readWatermarks } from './watermark-row.ts';

const COUNT_MAX_DEFAULT = 10_000;

export const listWatermarks = (options: StoreOptions): Promise<readonly WatermarkState[]> => {
  const { file, tables } = openStorage(options);
  return file.read((sql) => readWatermarks(sql, tables));
};

export function listMembers(options: StoreOptions): Promise<readonly MemberStatus[]> {
  const { file, tables } = openStorage(options);
  const select = `SELECT id, kind, ${NOW} - heartbeat_at AS silentMs, ${NOW} - started_at AS upMs, stalls FROM ${tables.member} ORDER BY kind, id`;
  return file.read((sql) =>
    sql
      .all<{ id: string; kind: string; silentMs: number; upMs: number; stalls: string | null }>(select)
      .map(({ kind, stalls, ...rest }) => ({ ...rest, kind: kind as MemberKind, stalls: readStalls(stalls) })),
  );
}

/** What this member says of what stands; null: nothing. */
export async function reportStalls(options: StoreOptions, id: string, stalls: string | null): Promise<void> {
  const { file, tables } = openStorage(options);
  await file.write((sql) => sql.run(`UPDATE ${tables.member} SET stalls = ? WHERE id = ?`, stalls, id));
}

/** One entry per lane, ascending; each is counted from its `delivered_id` to a bound. */
export function outboxStatistics(options: StoreOptions, countMax = COUNT_MAX_DEFAULT): Promise<readonly LaneBacklog[]> {
  const { file, tables } = openStorage(options);
  const range = `FROM ${tables.outbox} WHERE id > ? AND id < ? ORDER BY id LIMIT`;
  return file.read((sql) => {
    const lanes = sql.all<{ lane: number; source: string; delivered_id: number | null }>(
      `SELECT lane, source, delivered_id FROM ${tables.lane} ORDER BY lane`,
    );
    return lanes.map(({ lane, source, delivered_id }) => {
      const ids = [delivered_id ?? laneFloor(lane), laneEnd(lane)] as const;
      const n =
        sql.get<{ n: number }>(`SELECT COUNT(*) AS n FROM (SELECT id ${range} ?)`, ...ids, countMax + 1)?.n ?? 0;
      const age = sql.get<{ age: number }>(`SELECT ${NOW} - created_at AS age ${range} 1`, ...ids)?.age ?? null;
      const oldestAgeMs = age === null ? null : Math.max(0, age);
      return { lane, source, rows: Math.min(n, countMax), capped: n > countMax, oldestAgeMs };
    });
  });
}

export function countAside(options: StoreOptions): Promise<Readonly<Record<AsideState, number>>> {
  const { file, tables } = openStorage(options);
  return file.read((sql) => {
    const counts: Record<AsideState, number> = { retrying: 0, parked: 0, waiting: 0, dead: 0 };
    const select = `SELECT state, COUNT(*) AS n FROM ${tables.deadLetter} GROUP BY state`;
    for (const { state, n } of sql.all<{ state: AsideState; n: number }>(select)) counts[state] = n;
    return counts;
  });
}

const PAGE_ROWS_MAX = 10_000;

/** Every row in the outbox and then aside, without its payload, a page at a time, none empty. */
export async function* listWaiting(options: StoreOptions): AsyncGenerator<readonly WaitingRow[], void, void> {
  const { file, tables } = openStorage(options);
  const lanes = await file.read((sql) =>
    sql.all<{ lane: number; source: string }>(`SELECT lane, source FROM ${tables.lane}`),
  );
  const sources = new Map(lanes.map(({ lane, source }) => [lane, source]));
  for (const [table, state] of [
    [tables.outbox, "'outbox'"],
    [tables.deadLetter, 'state'],
  ] as const) {
    const select = `SELECT id, event_id, record_key, ${state} AS state FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`;
    for (let after = -1; ; ) {
      const rows = await file.read((sql) =>
        sql.all<{ id: number; event_id: string; record_key: Uint8Array | null; state: string }>(
          select,
          after,
          PAGE_ROWS_MAX,
        ),
      );
      const page = rows.map((row) => ({
        source: sources.get(laneOf(row.id)) ?? '',
        eventId: row.event_id,
        outboxId: row.id,
        key: bufferOf(row.record_key),
        state: row.state,
      }));
      if (page.length > 0) yield page;
      if (rows.length < PAGE_ROWS_MAX) break;
      after = rows.at(-1)?.id ?? after;
    }
  }
}

export interface DeadLetter extends AsideRow {
  readonly error: string;
  /** UTC, as `2026-01-31 12:00:00.000`. */
  readonly firstAt: string;
  readonly lastAt: string;
}

/**
 * Waits for the operator: dead; or parked after its attempts, with its key's later rows behind it (those have no attempts); or
 * refused until its lane was halted over it.
 */
const givenUp = (lane: string): string =>
  `(d.state = 'dead' OR (d.state = 'parked' AND d.attempts > 0) OR (d.state = 'retrying' AND d.attempts > 0 AND d.attempt_token = 0 AND EXISTS (SELECT 1 FROM ${lane} l WHERE l.lane = d.lane AND l.state = 'halted')))`;

/** Kafka refused it, and nobody is trying it at this moment: a row that only waits behind its key is not the operator's to drop. */
const DROPPABLE = "(state = 'dead' OR (attempt_token = 0 AND (state = 'retrying' OR attempts > 0)))";
const AT = (column: string) => `strftime('%Y-%m-%d %H:%M:%f', ${column} / 1000.0, 'unixepoch')`;

export interface ListAsideOptions {
  readonly rowsMax: number;
  /** Only ids above it. */
  readonly after?: number;
  /** Also rows that are still being tried, and rows that wait behind their keys. */
  readonly all?: boolean;
}

/** Rows that wait for the operator, or every row set aside, in id order. */
export function listDeadLetters(
  options: StoreOptions,
  { rowsMax, after = -1, all = false }: ListAsideOptions,
): Promise<readonly DeadLetter[]> {
  const { file, tables } = openStorage(options);
  const which = all ? 'd.id > ?' : `${givenUp(tables.lane)} AND d.id > ?`;
  const select = `SELECT ${ASIDE_COLUMNS}, d.error, ${AT('d.first_at')} AS first, ${AT('d.last_at')} AS last FROM ${tables.deadLetter} d WHERE ${which} ORDER BY d.id LIMIT ?`;
  return file.read((sql) =>
    sql
      .all<AsideColumns & { error: string; first: string; last: string }>(select, after, rowsMax)
      .map((row) => ({ ...toAside(row), error: row.error, firstAt: row.first, lastAt: row.last })),
  );
}

/** Lets a row given up be tried again from its first attempt, due now. False when there is no such row. */
export function requeueDead(options: StoreOptions, id: number): Promise<boolean> {
  const { file, tables } = openStorage(options);
  const update = `UPDATE ${tables.deadLetter} AS d SET state = 'retrying', attempts = 0, attempt_token = 0, due_at = ${NOW}, last_at = ${NOW} WHERE d.id = ? AND ${givenUp(tables.lane)}`;
  return file.write((sql) => sql.run(update, id) === 1);
}

/** Deletes a refused row for good. False when there is no such row, or an attempt of it is under way. */
export function dropDead(options: StoreOptions, id: number): Promise<boolean> {
  const { file, tables } = openStorage(options);
  return file.write((sql) => sql.run(`DELETE FROM ${tables.deadLetter} WHERE id = ? AND ${DROPPABLE}`, id) === 1);
}

/** Deletes at most `rowsMax` rows that are dead since `retentionMs`; resolves to how many. Parked rows are never among them. */
export function forgetDead(options: StoreOptions, retentionMs: number, rowsMax: number): Promise<number> {
  const { file, tables } = openStorage(options);
  const old = `SELECT id FROM ${tables.deadLetter} WHERE state = 'dead' AND last_at < ${NOW} - ? ORDER BY id LIMIT ?`;
  return file.write((sql) => sql.run(`DELETE FROM ${tables.deadLetter} WHERE id IN (${old})`, retentionMs, rowsMax));
}

/** False when the lane is not running. */
export function pauseLane(options: StoreOptions, lane: number, why: string): Promise<boolean> {
  const { file, tables } = openStorage(options);
  const update = `UPDATE ${tables.lane} SET state = 'paused', why = ?, updated_at = ${NOW} WHERE lane = ? AND state = 'running'`;
  return file.write((sql) => sql.run(update, why, lane) === 1);
}

/** As the outbox of a server has it: `as-is`, a delivered id, or `marker-lost`. */
export type ResumeFrom = 'as-is' | 'marker-lost' | { readonly deliveredId: number };

/** False when the lane does not exist. Throws CONFIG_INVALID for an id the lane does not own. */
export async function resumeLane(options: StoreOptions, lane: number, from: ResumeFrom = 'as-is'): Promise<boolean> {
  const { file, tables } = openStorage(options);
  const set = `UPDATE ${tables.lane} SET state = 'running', why = NULL, updated_at = ${NOW}`;
  if (from === 'as-is') return file.write((sql) => sql.run(`${set} WHERE lane = ?`, lane) === 1);
  const deliveredId = from === 'marker-lost' ? null : from.deliveredId;
  if (deliveredId !== null && (deliveredId < laneFloor(lane) || deliveredId >= laneEnd(lane))) {
    throw new RelayError('CONFIG_INVALID', `lane ${lane} does not own the id ${deliveredId}`);
  }
  return file.write((sql) => sql.run(`${set}, delivered_id = ? WHERE lane = ?`, deliveredId, lane) === 1);
}

/**
 * For a relay that holds the file's lock: whoever held lanes before is gone or has lost it, so there is no lease to wait for.
 * The holders stay written down, to be fenced.
 */
export async function endLeases(options: StoreOptions): Promise<void> {
  const { file, tables } = openStorage(options);
  await file.write((sql) => {
    sql.run(`UPDATE ${tables.lane} SET lease_until = 0 WHERE holder IS NOT NULL`);
    sql.run(`DELETE FROM ${tables.member}`);
  });
}
