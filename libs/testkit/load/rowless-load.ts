/** A load whose statements own ids without rows: connections, sessions that hold locks, KILLs, XA transactions left prepared. */
import { type Random, systemClock } from '#runtime';
import { seededRandom } from '../seeded-random.ts';
import { holdLocks } from './hold-locks.ts';
import { LoadSession, type SessionTarget, undoneBy } from './load-session.ts';
import {
  type MixNow,
  planBulk,
  planRowless,
  planStatement,
  type RowlessMix,
  type RowlessPlan,
} from './plan-rowless.ts';
import { RowlessConnection, type RowlessProgress } from './rowless-connection.ts';
import { FENCE } from './rowless-table.ts';
import { TransactionBook } from './transaction-book.ts';
import type { HistoryTransaction } from './write-history.ts';
import { XaEnder } from './xa-transactions.ts';

export interface RowlessLoadOptions {
  readonly target: SessionTarget;
  readonly seed: number;
  readonly mix: RowlessMix;
  /** Connections with dangerous statements; those with bulk statements come on top. */
  readonly connections: number;
  readonly bulkConnections: number;
  readonly holders: number;
  /** How long the long transactions stay open, in milliseconds; 0: none. */
  readonly longMs: number;
  /** Bulk statements rest while it says so. */
  readonly relayIsBehind: () => boolean;
  readonly write: ((transaction: HistoryTransaction) => void) | null;
}

export interface RowlessLoad {
  readonly book: TransactionBook;
  readonly progress: Readonly<RowlessProgress>;
  /** Ends every transaction, prepared ones too. Rejects with the first fault of the load itself. */
  stop(): Promise<void>;
  /** Rejects with a fault of the load itself as soon as there is one. */
  readonly fault: Promise<never>;
}

const SEED_STEP = 7_919;
const KILL_EVERY_MS_MAX = 2_500;
const WITHOUT_SELECTS_MS = 20_000;
const WITH_SELECTS_MS = 3_000;
const CALM_MS_MAX = 20_000;
const LOOK_EVERY_MS = 50;
/** A million rows come with at least ten thousand dangerous statements. */
const ROWS_PER_DANGEROUS = 100;
const BULK_ROWS_FREE = 5_000;

/** The tables must be there. Resolves when the rows that everybody replaces are. */
export async function startRowlessLoad(options: RowlessLoadOptions): Promise<RowlessLoad> {
  const load = new RunningLoad(options);
  await load.begin();
  return load;
}

class RunningLoad implements RowlessLoad {
  readonly book: TransactionBook;
  readonly progress: RowlessProgress = {
    ...{ byKind: new Map(), dangerous: 0, dangerousAndSlow: 0, slowestMs: 0, commits: 0, rollbacks: 0, unknown: 0 },
    ...{ failed: new Map(), prepared: 0, kills: 0, holds: 0, longTransactions: 0 },
  };
  readonly fault: Promise<never>;
  readonly #options: RowlessLoadOptions;
  readonly #fail: (error: unknown) => void;
  readonly #stopping = new AbortController();
  /** Prepared transactions are ended last. */
  readonly #stopped = new AbortController();
  readonly #ender: XaEnder;
  readonly #killer: LoadSession;
  readonly #connections: RowlessConnection[] = [];
  readonly #explicit = { busy: false };
  #runs: Promise<void>[] = [];
  #ending: Promise<void> = Promise.resolve();
  #seeds = 0;
  /** Statements that take the AUTO-INC lock may come now. */
  #window = false;
  /** Nothing new begins. */
  #calming = false;

  constructor(options: RowlessLoadOptions) {
    this.#options = options;
    this.book = new TransactionBook(options.write);
    this.#ender = new XaEnder(options.target, this.book);
    this.#killer = new LoadSession(options.target, this.#stopping.signal);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.fault = promise;
    this.#fail = reject;
  }

  async begin(): Promise<void> {
    const { connections, bulkConnections, holders, longMs, mix, relayIsBehind, target } = this.#options;
    await this.#insertHotRows();
    const busy = [];
    for (let number = 1; number <= connections; number += 1) {
      const random = this.#random();
      const connection = this.#connection(`c${number}`, random, () => this.#next((now) => planRowless(random, now)));
      busy.push(connection);
      this.#start(connection.run());
    }
    for (let number = 1; number <= bulkConnections; number += 1) {
      const random = this.#random();
      const plan = () => (relayIsBehind() || this.#bulkIsAhead() ? null : this.#next((now) => planBulk(random, now)));
      const connection = this.#connection(`b${number}`, random, plan);
      busy.push(connection);
      this.#start(connection.run());
    }
    for (let number = 1; number <= holders; number += 1) {
      const signal = this.#stopping.signal;
      this.#start(holdLocks({ target, random: this.#random(), mix, progress: this.progress, signal }));
    }
    if (longMs > 0) {
      const random = this.#random();
      this.#start(this.#connection('long', random, () => this.#planLong(random)).run());
    }
    if (mix.selects === 'windows') this.#start(this.#takeTurns(busy));
    this.#start(this.#killNowAndThen(this.#random()));
    this.#ending = this.#ender.run(this.#stopped.signal);
    this.#ending.catch(this.#fail);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const outcomes = await Promise.allSettled(this.#runs);
    this.#stopped.abort();
    await this.#ending;
    this.#killer.drop();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  #start(run: Promise<void>): void {
    run.catch((error: unknown) => {
      this.#stopping.abort();
      this.#fail(error);
    });
    this.#runs.push(run);
  }

  #random(): Random {
    this.#seeds += 1;
    return seededRandom(this.#options.seed + this.#seeds * SEED_STEP);
  }

  #connection(name: string, random: Random, plan: () => RowlessPlan | null): RowlessConnection {
    const connection = new RowlessConnection({
      ...{ name, random, plan, book: this.book, progress: this.progress, explicit: this.#explicit },
      target: this.#options.target,
      kill: (threadId) => this.#kill(threadId, 'CONNECTION'),
      leave: (left) => this.#ender.take(left),
      signal: this.#stopping.signal,
    });
    this.#connections.push(connection);
    return connection;
  }

  #now(): MixNow {
    const { mix } = this.#options;
    return { ...mix, selects: mix.selects === 'always' || this.#window };
  }

  #next(plan: (now: MixNow) => RowlessPlan): RowlessPlan | null {
    return this.#calming ? null : plan(this.#now());
  }

  /** Bulk rows are not to outrun what they are there to hide. */
  #bulkIsAhead(): boolean {
    return this.book.committedTokens > this.progress.dangerous * ROWS_PER_DANGEROUS + BULK_ROWS_FREE;
  }

  /** Statements with the AUTO-INC lock for a while, then nothing new until all that wait for it are done. */
  async #takeTurns(connections: readonly RowlessConnection[]): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await systemClock.sleep(WITHOUT_SELECTS_MS, signal);
      this.#window = true;
      await systemClock.sleep(WITH_SELECTS_MS, signal);
      this.#window = false;
      this.#calming = true;
      const untilMs = systemClock.nowMs() + CALM_MS_MAX;
      while (!signal.aborted && systemClock.nowMs() < untilMs && connections.some(({ busy }) => busy)) {
        await systemClock.sleep(LOOK_EVERY_MS, signal);
      }
      this.#calming = false;
    }
  }

  async #insertHotRows(): Promise<void> {
    const random = this.#random();
    const usual = planStatement(random, this.#now());
    const hot = Array.from({ length: FENCE + 1 }, (_, index) => index);
    const quiet = { gate: null, parent: null, napMs: null, slowMs: 0, pauseMs: 0, undone: false, alias: null };
    const statement = { ...usual, ...quiet, kind: 'insert', hot, fresh: 0 } as const;
    const first = this.#connection('first', random, () => null);
    await first.transact({ mode: 'autocommit', session: null, statements: [statement], end: 'commit', preparedMs: 0 });
    first.session.drop();
  }

  /** Ids taken at its beginning, with and without rows, and more at its end. */
  #planLong(random: Random): RowlessPlan {
    const usual = planStatement(random, this.#now());
    // Nothing that others wait for: no duplicate among the rows, but an id of the first one that is given back.
    const quiet = { gate: null, parent: null, napMs: null, slowMs: 0, alias: null, goesOn: true };
    const insert = { ...usual, ...quiet, kind: 'insert', hot: [], fresh: 2, pauseMs: 0, undone: false } as const;
    this.progress.longTransactions += 1;
    return {
      mode: 'transaction',
      session: null,
      statements: [{ ...insert, undone: true }, { ...insert, pauseMs: this.#options.longMs }, insert],
      end: random() < 0.3 ? 'rollback' : 'commit',
      preparedMs: 0,
    };
  }

  async #killNowAndThen(random: Random): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await systemClock.sleep(random() * KILL_EVERY_MS_MAX, signal);
      const victim = this.#connections[Math.floor(random() * this.#connections.length)];
      const thread = victim?.session.threadId ?? null;
      if (thread !== null) await this.#kill(thread, random() < 0.5 ? 'CONNECTION' : 'QUERY');
    }
  }

  async #kill(threadId: number, what: 'CONNECTION' | 'QUERY'): Promise<void> {
    try {
      await this.#killer.ready();
      await this.#killer.query(`KILL ${what} ${threadId}`);
      this.progress.kills += 1;
    } catch (error) {
      // ER_NO_SUCH_THREAD: it has ended by itself.
      if ((error as { errno?: number }).errno === 1094) return;
      const undone = undoneBy(error);
      if (undone === null) throw error;
      if (undone === 'session') this.#killer.drop();
    }
  }
}
