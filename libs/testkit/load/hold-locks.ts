/** Sessions that hold what a load's statements wait for: rows, gaps, parents, gates; and one that keeps transactions open for long. */
import { type Clock, type Random, systemClock } from '#runtime';
import { LoadSession, type SessionTarget, undoneBy } from './load-session.ts';
import { type RowlessMix, waitMs } from './plan-rowless.ts';
import type { RowlessProgress } from './rowless-connection.ts';
import { GATES, HOT_ROWS, hotCode, PARENTS, ROWLESS_TABLE } from './rowless-table.ts';

export interface HolderOptions {
  readonly target: SessionTarget;
  readonly random: Random;
  readonly mix: RowlessMix;
  readonly progress: RowlessProgress;
  readonly signal: AbortSignal;
}

interface Hold {
  readonly level: 'READ COMMITTED' | 'REPEATABLE READ';
  /** Values are numbers of our own making and codes of ours. */
  readonly sql: string;
  readonly values: readonly unknown[];
  /** Read before, without a lock; its ids become the values. */
  readonly find?: string;
  readonly ms: number;
}

const HELD_ROWS_MAX = 60;
const REST_MS_MAX = 150;
/** A hold of the table's end keeps everybody from inserting. */
const END_MS_MAX = 250;

/** Until the signal aborts. */
export async function holdLocks(options: HolderOptions): Promise<void> {
  const { target, random, progress, signal } = options;
  const clock: Clock = systemClock;
  const session = new LoadSession(target, signal);
  try {
    while (!signal.aborted) {
      const hold = planHold(options);
      try {
        await session.ready();
        await session.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${hold.level}`);
        const values = await valuesOf(session, hold);
        if (values === null) continue;
        await session.query('START TRANSACTION');
        await session.query(hold.sql, values);
        progress.holds += 1;
        await clock.sleep(hold.ms, signal);
        await session.query('ROLLBACK');
      } catch (error) {
        const undone = undoneBy(error);
        if (undone === null) throw error;
        if (undone === 'session') session.drop();
        else await session.query('ROLLBACK').catch(() => session.drop());
      }
      await clock.sleep(random() * REST_MS_MAX, signal);
    }
  } finally {
    session.drop();
  }
}

/** Null: what it would lock is not there. */
async function valuesOf(session: LoadSession, { find, values }: Hold): Promise<readonly unknown[] | null> {
  if (find === undefined) return values;
  const ids = (await session.query<{ id: number }[]>(find, values)).map(({ id }) => id);
  return ids.length === 0 ? null : [ids];
}

function planHold({ random, mix }: HolderOptions): Hold {
  const chance = random();
  const pick = (count: number): number => Math.floor(random() * count);
  const ms = Math.round(waitMs(random) * mix.waits);
  const level = random() < 0.5 ? 'READ COMMITTED' : 'REPEATABLE READ';
  const some = (count: number): number[] =>
    Array.from({ length: 1 + pick(Math.min(HELD_ROWS_MAX, count / 5)) }, () => pick(count));
  if (chance < 0.6) {
    // By primary key alone: the unique key's record stays free, so that the row of the new id is undone before the wait.
    const find = `SELECT id FROM ${ROWLESS_TABLE} WHERE code IN (?)`;
    const sql = `SELECT 1 FROM ${ROWLESS_TABLE} FORCE INDEX (PRIMARY) WHERE id IN (?) FOR UPDATE`;
    return { level: 'READ COMMITTED', find, sql, values: [some(HOT_ROWS).map(hotCode)], ms };
  }
  if (chance < 0.75)
    return { level, sql: 'SELECT n FROM soak_gates WHERE id IN (?) FOR UPDATE', values: [some(GATES)], ms };
  if (chance < 0.83)
    return { level, sql: 'SELECT n FROM soak_parents WHERE id IN (?) FOR UPDATE', values: [some(PARENTS)], ms };
  if (chance < 0.95) {
    // A range of the unique key: gaps included, and rows that are not there.
    const from = hotCode(pick(HOT_ROWS));
    const sql = `SELECT 1 FROM ${ROWLESS_TABLE} FORCE INDEX (code) WHERE code BETWEEN ? AND CONCAT(?, '~') FOR UPDATE`;
    return { level: 'REPEATABLE READ', sql, values: [from, from], ms };
  }
  // The end of the primary key: every insert has its id then, and waits for the gap without a row.
  const find = `SELECT MAX(id) AS id FROM ${ROWLESS_TABLE}`;
  const sql = `SELECT 1 FROM ${ROWLESS_TABLE} FORCE INDEX (PRIMARY) WHERE id > ? FOR UPDATE`;
  return { level: 'REPEATABLE READ', find, sql, values: [], ms: Math.min(ms, END_MS_MAX) };
}
