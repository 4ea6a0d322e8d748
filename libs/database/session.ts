/**
 * One connection with a deadline on every statement and every fault as RelayError. A session whose state is doubtful
 * (lost, timed out, interrupted inside a transaction) is `broken`: its connection is destroyed and it refuses further work.
 * The driver gets texts without values: it would escape them (fill-statement.ts, sql-literals.ts).
 */

import type { Connection, QueryError } from 'mysql2';
import { RelayError, withDeadline } from '#runtime';
import { asDatabaseError } from './as-database-error.ts';
import type { Engine } from './engine.ts';
import { fillStatement } from './fill-statement.ts';
import { PreparedRunner } from './run-prepared.ts';
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
  #onBroken: (() => void) | null = null;

  /** Takes over a connection that has just logged in. */
  constructor(connection: Connection, readTimeoutMs: number) {
    this.#connection = connection;
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

  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Told once, at once when the connection is lost: the pool forgets the session. */
  whenBroken(listener: () => void): void {
    if (this.#broken) listener();
    else this.#onBroken = listener;
  }

  /** Rows of a SELECT: bigints and DECIMAL as strings, dates as strings, binary columns as Buffer. */
  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<Row[]> {
    const text = fillStatement(sql, values);
    const rows = await this.#send(nameOf(sql), (done) => {
      this.#connection.query({ sql: text }, done as never);
    });
    return rows as Row[];
  }

  /** A statement without a result set. */
  async run(sql: string, values: readonly SqlValue[] = []): Promise<RunResult> {
    const text = fillStatement(sql, values);
    const result = await this.#send(nameOf(sql), (done) => {
      this.#connection.query({ sql: text }, done as never);
    });
    return { affectedRows: (result as { affectedRows?: number }).affectedRows ?? 0 };
  }

  /** The same as a server-side prepared statement, kept per connection: for a few fixed texts with many or binary values. */
  async runPrepared(sql: string, values: readonly SqlValue[]): Promise<RunResult> {
    const result = await this.#send(nameOf(sql), (done) => {
      this.#prepared.run(sql, values, done);
    });
    return { affectedRows: (result as { affectedRows?: number }).affectedRows ?? 0 };
  }

  /** Hands over each row of a SELECT as it comes in and keeps none. */
  async stream<Row extends object>(sql: string, values: readonly SqlValue[], onRow: (row: Row) => void): Promise<void> {
    const text = fillStatement(sql, values);
    await this.#send(nameOf(sql), (done) => {
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
    await this.#send(nameOf(sql), (done) => {
      const giveUp = () =>
        this.destroy(new RelayError('DB_UNREACHABLE', 'given up with an unwanted result on its way'));
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

  async #send(name: string, start: (done: Done) => void): Promise<unknown> {
    if (this.#broken) throw new RelayError(this.#broken.code, this.#broken.message, { details: this.#broken.details });
    if (this.#rejectPending) throw new RelayError('INTERNAL', `${name}: the session is busy with another statement`);
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#rejectPending = reject;
      start((error, result) => (error ? reject(error) : resolve(result)));
    });
    try {
      return await withDeadline(answer, this.#readTimeoutMs, name);
    } catch (thrown) {
      const error = asDatabaseError(thrown, name);
      // A late answer would be taken for the next statement's: only the connection's end makes that impossible.
      const lost = error.code === 'DEADLINE_EXCEEDED' || error.code === 'DB_UNREACHABLE';
      if (lost || (thrown as { fatal?: unknown }).fatal === true) this.#breakWith(error);
      throw error;
    } finally {
      this.#rejectPending = null;
    }
  }

  #breakWith(error: RelayError): void {
    if (this.#broken) return;
    this.#broken = error;
    this.#connection.destroy();
    this.#rejectPending?.(error);
    this.#onBroken?.();
  }
}
