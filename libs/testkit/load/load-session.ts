/** The connection of a load: opened anew after the server or a KILL has ended it, with errors sorted by what they undid. */
import mysql from 'mysql2/promise';
import { type Clock, systemClock } from '#runtime';
import type { DatabaseAddress } from '../test-environment.ts';
import type { SessionPlan } from './plan-rowless.ts';
import type { BuiltStatement } from './rowless-statements.ts';

export interface SessionTarget extends DatabaseAddress {
  readonly name: string;
}

/** What an error has undone: the statement alone, its whole transaction, or all that the session had open. */
export type Undone = 'statement' | 'transaction' | 'session';

const CONNECT_TIMEOUT_MS = 5_000;
const CONNECT_DEADLINE_MS = 180_000;
const CONNECT_PAUSE_MS = 150;
/** Shutdown, KILL of the connection, server gone. */
const SESSION_ERRNOS = new Set([1040, 1053, 1077, 1927, 2006, 2013]);
/** Deadlock, also over the lock of the next id (1467), and what an XA transaction says after one, or in a state that has no such end. */
const TRANSACTION_ERRNOS = new Set([1213, 1467, 1397, 1398, 1399, 1400, 1401, 1402, 1440, 1613, 1614]);
/** Lock wait, KILL QUERY, duplicate, foreign key, savepoint that an error has taken along. */
const STATEMENT_ERRNOS = new Set([1020, 1062, 1205, 1305, 1317, 1451, 1452]);

export const errnoOf = (error: unknown): number => (error as { errno?: number }).errno ?? 0;

/** Null: an error that a load does not expect. */
export function undoneBy(error: unknown): Undone | null {
  const errno = errnoOf(error);
  const { fatal, code } = error as { fatal?: boolean; code?: string };
  if (fatal === true || SESSION_ERRNOS.has(errno) || /^(E[A-Z]+|PROTOCOL_[A-Z_]+)$/.test(code ?? '')) return 'session';
  if (TRANSACTION_ERRNOS.has(errno)) return 'transaction';
  return STATEMENT_ERRNOS.has(errno) ? 'statement' : null;
}

const gone = (): Error => Object.assign(new Error('the connection was dropped'), { fatal: true });

export class LoadSession {
  readonly #target: SessionTarget;
  readonly #clock: Clock = systemClock;
  readonly #signal: AbortSignal;
  #connection: mysql.Connection | null = null;
  /** Rejects when the connection is dropped: the driver leaves its statements without an answer then. */
  #dropped = Promise.withResolvers<never>();
  #settings: SessionPlan | null = null;
  #applied: SessionPlan | null = null;
  reconnects = 0;

  constructor(target: SessionTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
    this.#renew();
  }

  /** The server's number for it; null while there is none. */
  get threadId(): number | null {
    return this.#connection?.threadId ?? null;
  }

  /** For this connection and those that follow it. */
  use(settings: SessionPlan): void {
    this.#settings = settings;
  }

  /** Rejects when no server answers within the deadline. */
  async ready(): Promise<void> {
    const connection = await this.#open();
    const settings = this.#settings;
    if (settings === null || settings === this.#applied) return;
    await connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${settings.level}`);
    await connection.query(
      'SET SESSION auto_increment_increment = ?, auto_increment_offset = ?, innodb_lock_wait_timeout = ?',
      [settings.increment, settings.offset, settings.lockWaitSeconds],
    );
    this.#applied = settings;
  }

  async query<T = mysql.ResultSetHeader>(sql: string, values: readonly unknown[] = []): Promise<T> {
    const [result] = await Promise.race([this.#current().query(sql, [...values]), this.#dropped.promise]);
    return result as T;
  }

  async run({ sql, values, file }: BuiltStatement): Promise<mysql.ResultSetHeader> {
    const connection = this.#current();
    const options = file === undefined ? { sql } : { sql, infileStreamFactory: file };
    const answer = connection.query<mysql.ResultSetHeader>(options, [...values]);
    const [result] = await Promise.race([answer, this.#dropped.promise]);
    return result;
  }

  /** The server finds out by itself. */
  drop(): void {
    this.#connection?.destroy();
    this.#connection = null;
    this.#applied = null;
    this.#dropped.reject(gone());
    this.#renew();
  }

  #renew(): void {
    this.#dropped = Promise.withResolvers<never>();
    this.#dropped.promise.catch(() => undefined);
  }

  /** Never opened here: a statement of a transaction must not run outside of it on a new connection. */
  #current(): mysql.Connection {
    if (this.#connection === null) throw gone();
    return this.#connection;
  }

  async #open(): Promise<mysql.Connection> {
    if (this.#connection !== null) return this.#connection;
    const { host, port, user, password, name } = this.#target;
    const deadlineMs = this.#clock.nowMs() + CONNECT_DEADLINE_MS;
    for (;;) {
      try {
        const options = { host, port, user, password, database: name, connectTimeout: CONNECT_TIMEOUT_MS };
        const connection = await mysql.createConnection(options);
        // A connection that ends while it rests says so by an event; the next statement fails anyway.
        connection.on('error', () => undefined);
        this.#connection = connection;
        this.reconnects += 1;
        return connection;
      } catch (error) {
        if (undoneBy(error) !== 'session' || this.#clock.nowMs() > deadlineMs) throw error;
        await this.#clock.sleep(CONNECT_PAUSE_MS, this.#signal);
      }
    }
  }
}
