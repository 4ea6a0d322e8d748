/** XA transactions whose connection is gone: another connection ends them, as a transaction manager would. */
import { type Clock, systemClock } from '#runtime';
import { errnoOf, LoadSession, type SessionTarget, undoneBy } from './load-session.ts';
import { ROWLESS_TRANSACTIONS } from './rowless-table.ts';
import type { Outcome, TransactionBook, TransactionEntry } from './transaction-book.ts';

export interface LeftTransaction {
  readonly entry: TransactionEntry;
  /** What is to become of it, if it is prepared. */
  readonly commits: boolean;
  /** Not before this time, by the monotonic clock. */
  readonly dueMs: number;
}

/** XAER_NOTA: nobody knows it, or its own connection still does. */
const UNKNOWN_ERRNO = 1397;
/** ER_LOCK_WAIT_TIMEOUT, which MariaDB answers NOWAIT with. */
const LOCKED_ERRNO = 1205;
const ATTEMPTS_MAX = 600;
const PAUSE_MS = 200;
const IDLE_MS = 50;

export const xaName = (run: string, transaction: number): string => `'${run}-${transaction}'`;

/** Whether the transaction's own row is there. Null: it is locked, so that the server is still at it. */
async function committed(session: LoadSession, transaction: number): Promise<boolean | null> {
  const sql = `SELECT 1 FROM ${ROWLESS_TRANSACTIONS} WHERE tag = ? LOCK IN SHARE MODE NOWAIT`;
  try {
    return (await session.query<unknown[]>(sql, [transaction])).length > 0;
  } catch (error) {
    if (errnoOf(error) === LOCKED_ERRNO) return null;
    throw error;
  }
}

/** Asks until the server has an answer; rejects after many attempts. */
async function insist<T>(session: LoadSession, clock: Clock, ask: () => Promise<T | null>): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    try {
      await session.ready();
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      const undone = undoneBy(error);
      if (undone === null) throw error;
      if (undone === 'session') session.drop();
    }
    await clock.sleep(PAUSE_MS);
  }
  throw new Error(`the outcome of a transaction could not be found out in ${ATTEMPTS_MAX} attempts`);
}

export async function decideByRow(session: LoadSession, transaction: number, clock: Clock): Promise<Outcome> {
  const found = await insist(session, clock, () => committed(session, transaction));
  return found ? 'committed' : 'rolled-back';
}

/** Ends what connections have left, each in its time. */
export class XaEnder {
  readonly #session: LoadSession;
  readonly #target: SessionTarget;
  readonly #book: TransactionBook;
  readonly #clock: Clock = systemClock;
  #left: LeftTransaction[] = [];
  ended = 0;

  constructor(target: SessionTarget, book: TransactionBook) {
    // It works on after the load was stopped, until nothing is left.
    this.#session = new LoadSession(target, new AbortController().signal);
    this.#target = target;
    this.#book = book;
  }

  take(left: LeftTransaction): void {
    this.#left.push(left);
  }

  /** Until the signal aborts and nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted || this.#left.length > 0) {
        const nowMs = this.#clock.nowMs();
        const due = this.#left.filter(({ dueMs }) => dueMs <= nowMs || signal.aborted);
        this.#left = this.#left.filter((left) => !due.includes(left));
        for (const left of due) await this.#end(left);
        if (due.length === 0) await this.#clock.sleep(IDLE_MS, signal);
      }
    } finally {
      this.#session.drop();
    }
  }

  async #end({ entry, commits }: LeftTransaction): Promise<void> {
    const session = this.#session;
    const xa = xaName(this.#target.name, entry.number);
    const outcome = await insist<Outcome>(session, this.#clock, async () => {
      try {
        await session.query(`XA ${commits ? 'COMMIT' : 'ROLLBACK'} ${xa}`);
        return commits ? 'committed' : 'rolled-back';
      } catch (error) {
        if (errnoOf(error) !== UNKNOWN_ERRNO) throw error;
      }
      // Its connection may still be there; then its row is locked.
      const found = await committed(session, entry.number);
      return found === null ? null : found ? 'committed' : 'rolled-back';
    });
    this.ended += 1;
    this.#book.end(entry, outcome);
  }
}
