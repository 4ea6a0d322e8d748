/** Attempts at rows set aside: their tokens before they are sent, and what became of them. */
import type { Session } from '#database';
import {
  type AttemptVerdicts,
  type Doubt,
  doubtsFromText,
  IN_DOUBT,
  joinDoubts,
  type OpenAttempt,
  type OutboxTables,
} from '#outbox';
import { listsOf } from './lists-of.ts';
import { underClaim } from './prove-claim.ts';
import { retryDeadlock, type Storage } from './storage.ts';

interface AttemptColumns {
  readonly id: string;
  readonly lane: number;
  readonly attempt_token: string;
  readonly topic: string;
  readonly record_key: Buffer | null;
}

/** Values of one list in a statement. */
const LIST_MAX = 1_000;

/**
 * Persists the attempt's token with the rows before they are sent: after a crash Kafka's copy of it tells whether the attempt went
 * through. Resolves to the rows that still wait for an attempt; the others were brought through, or taken away, by somebody.
 * Null: the claim is no longer ours.
 */
export async function beginAttempt(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  token: number,
): Promise<readonly number[] | null> {
  const table = storage.tables.deadLetter;
  return underClaim(storage, lane, claimEpoch, async (session) => {
    await session.run(`UPDATE ${table} SET attempt_token = 0 WHERE lane = ? AND attempt_token > 0`, [lane]);
    if (ids.length === 0) return [];
    const begin = `UPDATE ${table} SET attempt_token = ?, last_at = NOW(6) WHERE id IN (?) AND state <> 'dead'`;
    const { affectedRows } = await session.run(begin, [token, ids]);
    if (affectedRows === ids.length) return ids;
    const begun = `SELECT id FROM ${table} WHERE lane = ? AND attempt_token = ? ORDER BY id`;
    return (await session.query<{ id: string }>(begun, [lane, token])).map(({ id }) => Number(id));
  });
}

/** Rows with an attempt whose outcome is not written down: those of one attempt a lane at most. */
export async function listAttempts(
  { pool, tables }: Storage,
  lanes: readonly number[],
): Promise<readonly OpenAttempt[]> {
  if (lanes.length === 0) return [];
  const rows = await pool.query<AttemptColumns>(
    `SELECT id, lane, attempt_token, topic, record_key FROM ${tables.deadLetter} WHERE lane IN (?) AND attempt_token > 0 ORDER BY id`,
    [lanes],
  );
  return rows.map(({ id, lane, attempt_token, topic, record_key }) => {
    return { id: Number(id), lane, token: Number(attempt_token), topic, key: record_key };
  });
}

export async function settleAttempts(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  { arrived, missing, unknown = [], doubts }: AttemptVerdicts,
): Promise<boolean> {
  const { deadLetter: table, lane: laneTable } = storage.tables;
  const done = await underClaim(storage, lane, claimEpoch, async (session) => {
    const remove = `DELETE FROM ${table} WHERE lane = ? AND id IN (?)`;
    for (const ids of listsOf(arrived, LIST_MAX)) await session.run(remove, [lane, ids]);
    const set = `UPDATE ${table} SET attempt_token = ? WHERE lane = ? AND id IN (?)`;
    for (const ids of listsOf(missing, LIST_MAX)) await session.run(set, [0, lane, ids]);
    for (const ids of listsOf(unknown, LIST_MAX)) await session.run(set, [IN_DOUBT, lane, ids]);
    if (doubts !== undefined) {
      await session.run(`UPDATE ${laneTable} SET doubts = ? WHERE lane = ?`, [JSON.stringify(doubts), lane]);
    }
    return true;
  });
  return done ?? false;
}

/** Removes rows that are in Kafka now. */
export async function removeAside(storage: Storage, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  const sql = `DELETE FROM ${storage.tables.deadLetter} WHERE id IN (?)`;
  await retryDeadlock(storage, () => storage.pool.run(sql, [ids]));
}

/** Of two doubts for one sender and partition the earlier one counts. */
export async function addDoubts(
  session: Session,
  tables: OutboxTables,
  lane: number,
  added: readonly Doubt[],
): Promise<void> {
  const [row] = await session.query<{ doubts: string | null }>(`SELECT doubts FROM ${tables.lane} WHERE lane = ?`, [
    lane,
  ]);
  const all = joinDoubts(doubtsFromText(row?.doubts), added);
  await session.run(`UPDATE ${tables.lane} SET doubts = ? WHERE lane = ?`, [JSON.stringify(all), lane]);
}

export async function listDoubts(
  { pool, tables }: Storage,
  lanes: readonly number[],
): Promise<ReadonlyMap<number, readonly Doubt[]>> {
  if (lanes.length === 0) return new Map();
  const select = `SELECT lane, doubts FROM ${tables.lane} WHERE lane IN (?) AND doubts IS NOT NULL`;
  const rows = await pool.query<{ lane: number; doubts: string }>(select, [lanes]);
  return new Map(rows.map(({ lane, doubts }) => [lane, doubtsFromText(doubts)]));
}

export async function listDoubted(
  { pool, tables }: Storage,
  lane: number,
  waitsFor: string,
): Promise<readonly number[]> {
  const select = `SELECT id FROM ${tables.deadLetter} WHERE lane = ? AND attempt_token = ? AND waits_for = ? ORDER BY id`;
  const rows = await pool.query<{ id: string }>(select, [lane, IN_DOUBT, waitsFor]);
  return rows.map(({ id }) => Number(id));
}
