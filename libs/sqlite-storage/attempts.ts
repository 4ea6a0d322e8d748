/** Attempts at rows set aside: their tokens before they are sent, and what became of them. */
import { type AttemptVerdicts, type Doubt, doubtsFromText, IN_DOUBT, joinDoubts, type OpenAttempt } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import { bufferOf, type Storage } from './storage.ts';
import { NOW, type QuotedTables } from './tables.ts';
import { underClaim } from './under-claim.ts';

type AttemptColumns = Omit<OpenAttempt, 'key'> & { readonly record_key: Uint8Array | null };

/** Persists the attempt's token with the rows that still wait for an attempt, which it resolves to. Null: the claim is not ours. */
export function beginAttempt(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  token: number,
): Promise<readonly number[] | null> {
  const table = storage.tables.deadLetter;
  const begin = `UPDATE ${table} SET attempt_token = ?, last_at = ${NOW} WHERE id = ? AND state <> 'dead'`;
  return underClaim(storage, lane, claimEpoch, (sql) => {
    sql.run(`UPDATE ${table} SET attempt_token = 0 WHERE lane = ? AND attempt_token > 0`, lane);
    return ids.filter((id) => sql.run(begin, token, id) === 1);
  });
}

/** Rows with an attempt whose outcome is not written down: those of one attempt a lane at most. */
export async function listAttempts(
  { file, tables }: Storage,
  lanes: readonly number[],
): Promise<readonly OpenAttempt[]> {
  if (lanes.length === 0) return [];
  const select = `SELECT id, lane, attempt_token AS token, topic, record_key FROM ${tables.deadLetter} WHERE lane IN (${marksOf(lanes)}) AND attempt_token > 0 ORDER BY id`;
  const rows = await file.read((sql) => sql.all<AttemptColumns>(select, ...lanes));
  return rows.map(({ record_key, ...row }) => ({ ...row, key: bufferOf(record_key) }));
}

export async function settleAttempts(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  { arrived, missing, unknown = [], doubts }: AttemptVerdicts,
): Promise<boolean> {
  const { deadLetter: table, lane: laneTable } = storage.tables;
  const set = `UPDATE ${table} SET attempt_token = ? WHERE lane = ? AND id = ?`;
  const done = await underClaim(storage, lane, claimEpoch, (sql) => {
    for (const id of arrived) sql.run(`DELETE FROM ${table} WHERE lane = ? AND id = ?`, lane, id);
    for (const id of missing) sql.run(set, 0, lane, id);
    for (const id of unknown) sql.run(set, IN_DOUBT, lane, id);
    if (doubts !== undefined)
      sql.run(`UPDATE ${laneTable} SET doubts = ? WHERE lane = ?`, JSON.stringify(doubts), lane);
    return true;
  });
  return done ?? false;
}

/** Removes rows that are in Kafka now. */
export async function removeAside({ file, tables }: Storage, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await file.write((sql) => {
    for (const id of ids) sql.run(`DELETE FROM ${tables.deadLetter} WHERE id = ?`, id);
  });
}

/** Of two doubts for one sender and partition the earlier one counts. */
export function addDoubts(sql: SqliteStatements, tables: QuotedTables, lane: number, added: readonly Doubt[]): void {
  const row = sql.get<{ doubts: string | null }>(`SELECT doubts FROM ${tables.lane} WHERE lane = ?`, lane);
  const all = joinDoubts(doubtsFromText(row?.doubts), added);
  sql.run(`UPDATE ${tables.lane} SET doubts = ? WHERE lane = ?`, JSON.stringify(all), lane);
}

export async function listDoubts(
  { file, tables }: Storage,
  lanes: readonly number[],
): Promise<ReadonlyMap<number, readonly Doubt[]>> {
  if (lanes.length === 0) return new Map();
  const select = `SELECT lane, doubts FROM ${tables.lane} WHERE lane IN (${marksOf(lanes)}) AND doubts IS NOT NULL`;
  const rows = await file.read((sql) => sql.all<{ lane: number; doubts: string }>(select, ...lanes));
  return new Map(rows.map(({ lane, doubts }) => [lane, doubtsFromText(doubts)]));
}

export async function listDoubted(
  { file, tables }: Storage,
  lane: number,
  waitsFor: string,
): Promise<readonly number[]> {
  const select = `SELECT id FROM ${tables.deadLetter} WHERE lane = ? AND attempt_token = ? AND waits_for = ? ORDER BY id`;
  const rows = await file.read((sql) => sql.all<{ id: number }>(select, lane, IN_DOUBT, waitsFor));
  return rows.map(({ id }) => id);
}

export const marksOf = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
