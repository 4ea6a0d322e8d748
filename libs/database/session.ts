/**
 * One connection with a deadline on every statement and every fault as RelayError. A session whose state is doubtful
 * (lost, timed out, interrupted inside a transaction) is `broken`: its connection is destroyed and it refuses further work.
 * The driver gets texts without values: it would escape them (fill-statement.ts, sql-literals.ts).
 */

import type { Connection, QueryError } from 'mysql2';
import { RelayError, withDeadline } from '#runtime';
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { Engine } from './engine.ts';
import { tellsToLeave } from './error-table.ts';
import { fillStatement } from './fill-statement.ts';
import { PreparedRunner } from './run-prepared.ts';
import type { Ender, ServerIdentity } from './session-facts.ts';
import type { SqlValue } from './sql-value.ts';
import { type ByteSink, streamBytes } from './stream-bytes.ts';

export interface RunResult {
  /** Rows matched, not only those changed: the connection asks for FOUND_ROWS. */
  readonly affectedRows: number;
}

type Done = (error: QueryError | null, result?: unknown) => void;

/** The statement's verb names it in errors; its text could hold values. */
const nameOf = (sql: string): string => /^\s*\(?\s*([A-Za-z]+)/.exec(sql)?.[1]?.toUpperCase() ?? 'statement';

export class Session {
  readonly threadId: number;
  #engine: Engine | null = null;
  readonly #connection: Connection;
  readonly #prepared: PreparedRunner;
  readonly #readTimeoutMs: number;
  #broken: RelayError | null = null;
  #rejectPending: ((error: RelayError) => void) | null = null;
  #onBroken: ((why: RelayError) => void) | null = null;
  readonly #ender: Ender | null;
  #identity: ServerIdentity | null = null;
  /** What is at the server, for as long as it is; without values. */
  #running: string | null = null;

  /** Takes over a connection that has just logged in. `ender` ends at the server what is given up here. */
  constructor(connection: Connection, readTimeoutMs: number, ender: Ender | null = null) {
    this.#connection = connection;
    this.#ender = ender;
    this.#prepared = new PreparedRunner(connection);
    this.#readTimeoutMs = readTimeoutMs;
    this.threadId = connection.threadId;
    // Streamed results have no callback: their loss is only told here. 'end' is the server closing an idle connection.
    connection.on('error', (error: unknown) => this.#breakWith(asDatabaseError(error, 'connection')));
    connection.on('end', () => this.#breakWith(new RelayError('DB_UNREACHABLE', 'the server closed the connection')));
  }

  /** Known once the session is set up. */
  get engine(): Engine {
    if (!this.#engine) throw new RelayError('INTERNAL', 'the session is not set up yet');
    return this.#engine;
  }

  set engine(engine: Engine) {
    this.#engine = engine;
  }

  /** Equal for sessions on one server; null: not known, or one of many that stand for one another. */
  get server(): string | null {
    return this.#identity?.server ?? null;
  }

  set identity(identity: ServerIdentity) {
    this.#identity = identity;
  }

  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Told once, at once when the connection is lost: the pool forgets the session. */
  whenBroken(listener: (why: RelayError) => void): void {
    if (this.#broken) listener(this.#broken);
    else this.#onBroken = listener;
  }

  /** Rows of a SELECT: bigints and DECIMAL as strings, dates as strings, binary columns as Buffer. */
  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<Row[]> {
    const text = fillStatement(sql, values);
    const rows = await this.#send(sql, (done) => {
      this.#connection.query({ sql: text }, done as never);
    });
    return rows as Row[];
  }

  /** A statement without a result set. */
  async run(sql: string, values: readonly SqlValue[] = []): Promise<RunResult> {
    const text = fillStatement(sql, values);
    const result = await this.#send(sql, (done) => {
      this.#connection.query({ sql: text }, done as never);
    });
    return { affectedRows: (result as { affectedRows?: number }).affectedRows ?? 0 };
  }

  /** The same as a server-side prepared statement, kept per connection: for a few fixed texts with many or binary values. */
  async runPrepared(sql: string, values: readonly SqlValue[]): Promise<RunResult> {
    const result = await this.#send(sql, (done) => {
      this.#prepared.run(sql, values, done);
    });
    return { affectedRows: (result as { affectedRows?: number }).affectedRows ?? 0 };
  }

  /** Hands over each row of a SELECT as it comes in and keeps none. */
  async stream<Row extends object>(sql: string, values: readonly SqlValue[], onRow: (row: Row) => void): Promise<void> {
    const text = fillStatement(sql, values);
    await this.#send(sql, (done) => {
      let failed: QueryError | null = null;
      const command = this.#connection.query({ sql: text });
      command.on('result', (row) => onRow(row as unknown as Row));
      command.on('error', (error) => {
        failed = error as QueryError;
      });
      command.on('end', () => done(failed));
    });
  }

  /** Hands over each row of a SELECT as undecoded bytes; the sink says when it has enough. */
  async streamBytes(sql: string, values: readonly SqlValue[], sink: ByteSink): Promise<void> {
    const text = fillStatement(sql, values);
    await this.#send(sql, (done) => {
      const giveUp = () => {
        // The server writes to a closed connection, and so ends the statement by itself.
        this.#running = null;
        this.destroy(new RelayError('DB_UNREACHABLE', 'given up with an unwanted result on its way'));
      };
      streamBytes({ connection: this.#connection, sql: text, sink, done, giveUp });
    });
  }

  /** Gives the connection up without a word to the server, which rolls back what was open. Idempotent. */
  destroy(why = new RelayError('DB_UNREACHABLE', 'the connection was given up')): void {
    this.#breakWith(why);
  }

  /** Says goodbye to the server; the socket is gone when it resolves. */
  async close(): Promise<void> {
    if (this.#broken) return;
    const goodbye = new Promise<void>((resolve) => this.#connection.end(() => resolve()));
    await withDeadline(goodbye, Math.min(this.#readTimeoutMs, 1_000), 'closing').catch(() => undefined);
    this.destroy();
  }

  async #send(sql: string, start: (done: Done) => void): Promise<unknown> {
    const name = nameOf(sql);
    if (this.#broken) throw new RelayError(this.#broken.code, this.#broken.message, { details: this.#broken.details });
    if (this.#rejectPending) throw new RelayError('INTERNAL', `${name}: the session is busy with another statement`);
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#rejectPending = reject;
      this.#running = sql;
      start((error, result) => (error ? reject(error) : resolve(result)));
    });
    try {
      return await withDeadline(answer, this.#readTimeoutMs, name);
    } catch (thrown) {
      const error = asDatabaseError(thrown, name);
      if (isDoubtful(error, this.#identity !== null) || (thrown as { fatal?: unknown }).fatal === true)
        this.#breakWith(error);
      throw error;
    } finally {
      this.#rejectPending = null;
      this.#running = null;
    }
  }

  #breakWith(error: RelayError): void {
    if (this.#broken) return;
    this.#broken = error;
    this.#connection.destroy();
    this.#endAtServer(error);
    this.#rejectPending?.(error);
    this.#onBroken?.(error);
  }

  /** The server has not answered, so that it may still be at it. */
  #endAtServer(error: RelayError): void {
    const { client = null, threadId = 0, server = null } = this.#identity ?? {};
    const errno = errnoOf(error) ?? 0;
    const isOpen = errno <= 0 && (error.code === 'DEADLINE_EXCEEDED' || error.code === 'DB_UNREACHABLE');
    if (!isOpen || this.#running === null || client === null) return;
    this.#ender?.end({ threadId, server, client, sql: this.#running });
  }
}

/**
 * A late answer would be taken for the next statement's: only the connection's end makes that impossible. A server that tells us to
 * leave is left. After a fault that nobody knows nothing is known of the session either, unless it was only being set up: there it
 * is asked for things that it may not have.
 */
function isDoubtful({ code, details }: RelayError, isSetUp: boolean): boolean {
  if (code === 'DEADLINE_EXCEEDED' || code === 'DB_UNREACHABLE') return true;
  const errno = typeof details.errno === 'number' ? details.errno : null;
  return isSetUp && (code === 'DB_UNKNOWN' || code === 'DB_READ_ONLY' || tellsToLeave(errno));
}
