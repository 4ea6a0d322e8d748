/** Rows set aside: their columns, their mapping, and the verbs that change them under a claim. */
import {
  type AsideEntry,
  type AsideHead,
  type AsideRow,
  type AsideState,
  type Doubt,
  errorText,
  IN_DOUBT,
} from '#outbox';
import { addDoubts } from './attempts.ts';
import { bufferOf, type Storage } from './storage.ts';
import { NOW } from './tables.ts';
import { underClaim } from './under-claim.ts';

interface HeadColumns {
  readonly id: number;
  readonly lane: number;
  readonly state: string;
  readonly event_id: string;
  readonly topic: string;
  readonly record_key: Uint8Array | null;
  readonly size: number;
  readonly attempts: number;
  readonly attempt_token: number;
  readonly waits_for: string | null;
  readonly due_in_ms: number;
}

export interface AsideColumns extends HeadColumns {
  readonly payload: Uint8Array | null;
  readonly headers: string | null;
}

interface AsideHeadColumns extends HeadColumns {
  readonly value_bytes: number | null;
}

const COMMON = `d.id, d.lane, d.state, d.event_id, d.topic, d.record_key, d.size, d.attempts, d.attempt_token, d.waits_for, d.due_at - ${NOW} AS due_in_ms`;

/** `d` is the table's alias. */
export const ASIDE_COLUMNS = `${COMMON}, d.payload, d.headers`;

const common = (row: HeadColumns): Omit<AsideRow, 'value' | 'headers'> => ({
  id: row.id,
  lane: row.lane,
  state: row.state as AsideState,
  eventId: row.event_id,
  topic: row.topic,
  key: bufferOf(row.record_key),
  size: row.size,
  attempts: row.attempts,
  attemptToken: row.attempt_token,
  waitsFor: row.waits_for,
  dueInMs: row.due_in_ms,
});

export const toAside = (row: AsideColumns): AsideRow => ({
  ...common(row),
  value: bufferOf(row.payload),
  headers: row.headers === null ? null : (JSON.parse(row.headers) as Record<string, string>),
});

/** All of them or none; false, with nothing changed, when the claim is no longer ours. A row already there stays as it is. */
export async function setAside(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  entries: readonly AsideEntry[],
  doubts: readonly Doubt[] = [],
): Promise<boolean> {
  const insert = `INSERT INTO ${storage.tables.deadLetter} (id, lane, state, event_id, topic, record_key, payload, headers, size, attempts, attempt_token, waits_for, error, due_at, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ${NOW} + ?, ${NOW}, ${NOW}) ON CONFLICT (id) DO NOTHING`;
  const done = await underClaim(storage, lane, claimEpoch, (sql) => {
    for (const { row, state, error, dueInMs, waitsFor = null, inDoubt } of entries) {
      const { id, eventId, topic, key, value, size } = row;
      const headers = row.headers === null ? null : JSON.stringify(row.headers);
      const due = Math.round(dueInMs);
      const message = [eventId, topic, key, value, headers, size] as const;
      sql.run(insert, id, lane, state, ...message, inDoubt ? IN_DOUBT : 0, waitsFor, errorText(error), due);
    }
    if (doubts.length > 0) addDoubts(sql, storage.tables, lane, doubts);
    return true;
  });
  return done ?? false;
}

/** One attempt more of each, its token forgotten since its outcome is known. False also when none of the rows is there. */
export async function failAttempts(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  { state, error, dueInMs }: Omit<AsideEntry, 'row'>,
): Promise<boolean> {
  const update = `UPDATE ${storage.tables.deadLetter} SET attempts = attempts + 1, attempt_token = 0, waits_for = NULL, state = ?, error = ?, due_at = ${NOW} + ?, last_at = ${NOW} WHERE id IN (${ids.map(() => '?').join(', ')})`;
  const values = [state, errorText(error), Math.round(dueInMs), ...ids] as const;
  return (await underClaim(storage, lane, claimEpoch, (sql) => sql.run(update, ...values) > 0)) ?? false;
}

/**
 * Of each lane and key the row with the lowest id, in id order, at most `rowsMax`; a row without a key is its own head; dead
 * rows are left out.
 */
export async function listAsideHeads(
  { file, tables }: Storage,
  lanes: readonly number[],
  rowsMax: number,
): Promise<readonly AsideHead[]> {
  if (lanes.length === 0) return [];
  const live = "IN ('retrying', 'parked')";
  const earlier = `SELECT 1 FROM ${tables.deadLetter} e WHERE e.lane = d.lane AND e.record_key = d.record_key AND e.id < d.id AND e.state ${live}`;
  const select = `SELECT ${COMMON}, LENGTH(d.payload) AS value_bytes FROM ${tables.deadLetter} d WHERE d.lane IN (${lanes.map(() => '?').join(', ')}) AND d.state ${live} AND NOT EXISTS (${earlier}) ORDER BY d.id LIMIT ?`;
  const rows = await file.read((sql) => sql.all<AsideHeadColumns>(select, ...lanes, rowsMax));
  return rows.map((row) => ({ ...common(row), valueBytes: row.value_bytes }));
}

/** One of them with its payload; null: it is not aside any more. */
export async function readAside({ file, tables }: Storage, id: number): Promise<AsideRow | null> {
  const select = `SELECT ${ASIDE_COLUMNS} FROM ${tables.deadLetter} d WHERE d.id = ?`;
  const [row] = await file.read((sql) => sql.all<AsideColumns>(select, id));
  return row === undefined ? null : toAside(row);
}
