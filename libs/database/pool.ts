/**
 * A small pool of sessions. mysql2's own pool hands out connections whose set-up nobody awaited and asks for the password once;
 * this one awaits both, and never gives a doubtful session to the next caller.
 */
import { RelayError, withDeadline } from '#runtime';
import { asDatabaseError } from './as-database-error.ts';
import { EngineMemory } from './detect-engine.ts';
import type { Engine } from './engine.ts';
import { openSession } from './open-session.ts';
import { CONNECTIONS_MAX_DEFAULT, type DatabaseOptions } from './options.ts';
import type { RunResult, Session } from './session.ts';
import type { SqlValue } from './sql-value.ts';

/** Callers waiting for a session at most; past it the program is not bounded, and we say so. */
const WAITERS_MAX = 1_000;

interface Waiter {
  readonly take: (session: Session) => void;
  readonly fail: (error: RelayError) => void;
}

export class Pool {
  readonly options: DatabaseOptions;
  readonly #connectionsMax: number;
  readonly #idle: Session[] = [];
  readonly #waiters: Waiter[] = [];
  #open = 0;
  #closed = false;
  readonly #busy = new Set<Session>();
  readonly #memory = new EngineMemory();

  constructor(options: DatabaseOptions) {
    this.options = options;
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT;
  }

  /** Lends a session to `work` and takes it back, whatever happens; a broken one is dropped. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#useOf(this.#acquire(), work);
  }

  async #useOf<T>(acquired: Promise<Session>, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await acquired;
    try {
      return await work(session);
    } catch (thrown) {
      throw asDatabaseError(thrown, 'database');
    } finally {
      this.#giveBack(session);
    }
  }

  /**
   * As `use`, for a caller whom others wait for with a session in hand: where all are lent, it gets one beyond the bound. One such
   * caller at a time.
   */
  useUrgently<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const isFull = this.#idle.length === 0 && this.#open >= this.#connectionsMax;
    return isFull && this.#open === this.#connectionsMax ? this.#useOf(this.#openOne(), work) : this.use(work);
  }

  /** One SELECT on any session. */
  query<Row extends object = Record<string, unknown>>(sql: string, values: readonly SqlValue[] = []): Promise<Row[]> {
    return this.use((session) => session.query<Row>(sql, values));
  }

  /** One statement without a result set on any session, committed by itself. */
  run(sql: string, values: readonly SqlValue[] = []): Promise<RunResult> {
    return this.use((session) => session.run(sql, values));
  }

  engine(): Promise<Engine> {
    return this.use(async (session) => session.engine);
  }

  /** Says goodbye on idle sessions, destroys those at work, fails those who wait. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const stopped = new RelayError('STOPPED', 'the database pool was closed');
    for (const waiter of this.#waiters.splice(0)) waiter.fail(stopped);
    for (const session of [...this.#busy]) session.destroy(stopped);
    await Promise.all(this.#idle.splice(0).map((session) => session.close()));
  }

  async #acquire(): Promise<Session> {
    if (this.#closed) throw new RelayError('STOPPED', 'the database pool is closed');
    const idle = this.#idle.pop();
    if (idle) {
      this.#busy.add(idle);
      return idle;
    }
    if (this.#open < this.#connectionsMax) return this.#openOne();
    if (this.#waiters.length >= WAITERS_MAX) {
      throw new RelayError('INTERNAL', `more than ${WAITERS_MAX} callers wait for a database connection`);
    }
    return this.#wait();
  }

  async #openOne(): Promise<Session> {
    if (this.#closed) throw new RelayError('STOPPED', 'the database pool is closed');
    this.#open += 1;
    try {
      const session = await openSession(this.options, this.#memory);
      session.whenBroken(() => this.#forget(session));
      this.#busy.add(session);
      if (this.#closed) session.destroy();
      return session;
    } catch (error) {
      this.#open -= 1;
      this.#serveWaiter();
      throw error;
    }
  }

  async #wait(): Promise<Session> {
    let waiter: Waiter | undefined;
    const turn = new Promise<Session>((take, fail) => {
      waiter = { take, fail };
      this.#waiters.push(waiter);
    });
    const deadlineMs = this.options.connectTimeoutMs + this.options.readTimeoutMs;
    try {
      return await withDeadline(turn, deadlineMs, 'waiting for a database connection');
    } catch (error) {
      const at = this.#waiters.indexOf(waiter as Waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
      // Its turn may still come, from a connection being opened for it: that session belongs to the next caller.
      turn.then(
        (session) => this.#giveBack(session),
        () => undefined,
      );
      throw error;
    }
  }

  #giveBack(session: Session): void {
    if (session.broken) return;
    if (this.#closed) {
      session.destroy();
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.take(session);
      return;
    }
    this.#busy.delete(session);
    this.#idle.push(session);
  }

  #forget(session: Session): void {
    this.#open -= 1;
    this.#busy.delete(session);
    const at = this.#idle.indexOf(session);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#serveWaiter();
  }

  /** A place is free: whoever waits longest gets a new session, or the fault of opening it. */
  #serveWaiter(): void {
    const waiter = this.#closed ? undefined : this.#waiters.shift();
    if (waiter) this.#openOne().then(waiter.take, waiter.fail);
  }
}

export const createPool = (options: DatabaseOptions): Pool => new Pool(options);
