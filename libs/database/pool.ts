/**
 * A small pool of sessions. mysql2's own pool hands out connections whose set-up nobody awaited and asks for the password once;
 * this one awaits both, and never gives a doubtful session to the next caller. When one session learns that its server is not the
 * one to write to any more, none of the others is given out again: the next caller connects anew, to whatever serves then.
 */
import { RelayError, withDeadline } from '#runtime';
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { StatementEnder } from './end-statement.ts';
import type { Engine } from './engine.ts';
import { tellsToLeave } from './error-table.ts';
import { createEnder, openSession, ServerMemory } from './open-session.ts';
import { CONNECTIONS_MAX_DEFAULT, type DatabaseOptions } from './options.ts';
import type { RunResult, Session } from './session.ts';
import type { SqlValue } from './sql-value.ts';

/** Callers waiting for a session at most; past it the program is not bounded, and we say so. */
const WAITERS_MAX = 1_000;
/** Older sessions are closed when they come back: names, passwords and settings of the server change under them. */
const SESSION_AGE_MAX_MS = 600_000;
/** A server that was left and comes back sooner is one of several that a balancer gives in turn, and no successor. */
const RETURN_MIN_MS = 60_000;
const ENDING_DEADLINE_MS = 1_000;

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
  readonly #closing = new Set<Promise<void>>();
  readonly #memory = new ServerMemory();
  readonly #ender: StatementEnder;
  /** Sessions of an earlier one are not given out again. */
  #generation = 0;
  readonly #born = new Map<Session, { readonly generation: number; readonly atMs: number }>();
  #server: string | null = null;
  readonly #leftAtMs = new Map<string, number>();
  #onServer: PoolOnServer | null = null;

  constructor(options: DatabaseOptions) {
    this.options = options;
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT;
    this.#ender = createEnder(options);
  }

  /** Connections that were ended at the server with a statement given up here. */
  get statementsEnded(): number {
    return this.#ender.ended;
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
      const error = asDatabaseError(thrown, 'database');
      // A session has the limits that the server had when it began: one with larger ones may take the row.
      if (error.code === 'DB_ROW_REFUSED') this.#renew();
      throw error;
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

  /** The server that sessions are on now; null where servers stand for one another. */
  server(): Promise<string | null> {
    return this.use(async (session) => session.server);
  }

  /** The same pool for work whose parts belong together on one server: a session on another one is refused (DB_UNREACHABLE). */
  onServer(server: string | null): Pool {
    if (server === null) return this;
    // One object for all: those who work on one server share what is kept by pool, as the lists of transactions.
    if (this.#onServer?.name !== server) this.#onServer = new PoolOnServer(this, server);
    return this.#onServer;
  }

  /** Says goodbye on idle sessions, destroys those at work, fails those who wait. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const stopped = new RelayError('STOPPED', 'the database pool was closed');
    for (const waiter of this.#waiters.splice(0)) waiter.fail(stopped);
    for (const session of [...this.#busy]) session.destroy(stopped);
    await Promise.all([...this.#idle.splice(0).map((session) => session.close()), ...this.#closing]);
    await this.#ender.settled(ENDING_DEADLINE_MS);
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
      const session = await openSession(this.options, this.#memory, this.#ender);
      this.#noteServer(session.server);
      this.#born.set(session, { generation: this.#generation, atMs: performance.now() });
      this.#busy.add(session);
      session.whenBroken((why) => this.#forget(session, why));
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
    if (this.#closed || this.#isLeft(session)) {
      session.destroy();
      return;
    }
    if (this.#isAged(session)) {
      const closing: Promise<void> = session.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
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

  #forget(session: Session, why: RelayError): void {
    this.#open -= 1;
    this.#born.delete(session);
    this.#busy.delete(session);
    const at = this.#idle.indexOf(session);
    if (at >= 0) this.#idle.splice(at, 1);
    if (tellsToLeave(errnoOf(why))) this.#renew();
    // The others have perhaps nobody at their other end either: to find out would cost a deadline each.
    else if (why.code === 'DEADLINE_EXCEEDED') this.#dropIdle();
    this.#serveWaiter();
  }

  #isLeft(session: Session): boolean {
    return (this.#born.get(session)?.generation ?? this.#generation) !== this.#generation;
  }

  #isAged(session: Session): boolean {
    const nowMs = performance.now();
    return nowMs - (this.#born.get(session)?.atMs ?? nowMs) > SESSION_AGE_MAX_MS;
  }

  /** From here on every session is a new one; those at work finish it. */
  #renew(): void {
    this.#generation += 1;
    this.#dropIdle();
  }

  #dropIdle(): void {
    for (const session of this.#idle.splice(0)) session.destroy();
  }

  /** A new connection found another server than the one before: the others are on one that was left, unless both serve. */
  #noteServer(server: string | null): void {
    const before = this.#server;
    if (server === null || server === before) return;
    this.#server = server;
    if (before === null) return;
    const nowMs = performance.now();
    const leftAtMs = this.#leftAtMs.get(server);
    this.#leftAtMs.set(before, nowMs);
    if (leftAtMs === undefined || nowMs - leftAtMs > RETURN_MIN_MS) this.#renew();
  }

  /** A place is free: whoever waits longest gets a new session, or the fault of opening it. */
  #serveWaiter(): void {
    const waiter = this.#closed ? undefined : this.#waiters.shift();
    if (waiter) this.#openOne().then(waiter.take, waiter.fail);
  }
}

class PoolOnServer extends Pool {
  readonly #pool: Pool;
  readonly name: string;

  constructor(pool: Pool, name: string) {
    super(pool.options);
    this.#pool = pool;
    this.name = name;
  }

  override use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#pool.use((session) => work(requireServer(session, this.name)));
  }

  override useUrgently<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#pool.useUrgently((session) => work(requireServer(session, this.name)));
  }

  /** The pool is whoever's who made it. */
  override async close(): Promise<void> {}
}

/** Throws DB_UNREACHABLE when the session is on another server: what is known of the one says nothing of the other. */
export function requireServer(session: Session, server: string | null): Session {
  if (server === null || session.server === server) return session;
  throw new RelayError(
    'DB_UNREACHABLE',
    'the database is another server now: what was found out on the earlier one does not hold there',
  );
}

export const createPool = (options: DatabaseOptions): Pool => new Pool(options);
