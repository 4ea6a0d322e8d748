/**
 * One connection of a load: an application that inserts, rests, commits or rolls back, and goes on after the database was
 * away. It owns its keys, so their order is the order of its commits.
 */
import mysql from 'mysql2/promise';
import { type Clock, type Random, systemClock } from '#runtime';
import type { DatabaseAddress } from '../test-environment.ts';
import type { Ledger } from './ledger.ts';
import { type LoadMix, planTransaction, type TransactionPlan } from './plan-transaction.ts';

export interface LoadRow {
  readonly key: string;
  /** The values of the table's columns, given the row's number among its key's rows. */
  readonly values: (sequence: number) => readonly unknown[];
}

/** The rows of one connection; null when there are no more. */
export interface LoadSupply {
  next(): LoadRow | null;
}

export interface LoadTarget extends DatabaseAddress {
  /** The database's name. */
  readonly name: string;
  readonly table: string;
  readonly watermarkColumn: string;
  /** In the order of the rows' values. */
  readonly columns: readonly string[];
}

/** Counts so far, of all connections. */
export interface LoadProgress {
  committedRows: number;
  rolledBackRows: number;
  commits: number;
  rollbacks: number;
  bulkInserts: number;
  /** Transactions that rested with their ids taken. */
  pauses: number;
  /** Deadlocks and lock waits the application met. */
  lockErrors: number;
  reconnects: number;
  slowestStatementMs: number;
}

export interface ConnectionOptions {
  readonly target: LoadTarget;
  readonly supply: LoadSupply;
  readonly mix: LoadMix;
  readonly random: Random;
  /** Committed rows a second; null: as fast as the database answers. */
  readonly rowsPerSecond: number | null;
  readonly ledger: Ledger;
  readonly progress: LoadProgress;
  readonly signal: AbortSignal;
}

type Outcome = 'committed' | 'rolled-back' | 'unknown';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_DEADLINE_MS = 120_000;
const RECONNECT_PAUSE_MS = 100;
const FULL_PAUSE_MS = 200;
/** Lock wait timeout and deadlock: the application rolls back and tries again. */
const LOCK_ERRNOS = new Set([1205, 1213]);
/** No room for the row: nothing of the statement was done, and the application tries again. */
const FULL_ERRNOS = new Set([3, 20, 1021, 1026, 1030, 1114]);
/** The server is going down, or has ended the session. */
const OUTAGE_ERRNOS = new Set([1053, 1077, 1927, 2006, 2013]);
const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

interface PlannedRow {
  readonly row: LoadRow;
  readonly sequence: number;
}

const errnoOf = (error: unknown): number => (error as { errno?: number }).errno ?? 0;
const isOutage = (error: unknown): boolean =>
  (error as { fatal?: boolean }).fatal === true || OUTAGE_ERRNOS.has(errnoOf(error));

export class LoadConnection {
  readonly #options: ConnectionOptions;
  readonly #clock: Clock = systemClock;
  readonly #insertSql: string;
  readonly #sequences = new Map<string, number>();
  /** Rows of rolled back transactions, tried again before new ones. */
  #again: LoadRow[] = [];
  #connection: mysql.Connection | null = null;
  /** First id of the transaction under way, which decides a commit whose answer was lost. */
  #firstId = '0';

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { name, table, columns } = options.target;
    this.#insertSql = `INSERT INTO ${quote(name)}.${quote(table)} (${columns.map(quote).join(', ')}) VALUES ?`;
  }

  /** Until the supply is empty or the signal aborts; the transaction under way is always finished. */
  async run(): Promise<void> {
    const { signal, mix, random, rowsPerSecond } = this.#options;
    const startedMs = this.#clock.nowMs();
    let rows = 0;
    try {
      while (!signal.aborted) {
        const plan = planTransaction(random, mix);
        const statements = this.#take(plan);
        if (statements.length === 0) return;
        rows += await this.#transact(plan, statements);
        if (rowsPerSecond === null) continue;
        const aheadMs = (rows / rowsPerSecond) * 1_000 - (this.#clock.nowMs() - startedMs);
        if (aheadMs > 0) await this.#clock.sleep(aheadMs, signal);
      }
    } finally {
      this.#connection?.destroy();
    }
  }

  #take(plan: TransactionPlan): PlannedRow[][] {
    const statements: PlannedRow[][] = [];
    for (const rowsMax of plan.statements) {
      const rows: PlannedRow[] = [];
      while (rows.length < rowsMax) {
        const row = this.#again.shift() ?? this.#options.supply.next();
        if (row === null) break;
        // A number once given is never given again: a row that should not exist is told from all that should.
        const sequence = (this.#sequences.get(row.key) ?? 0) + 1;
        this.#sequences.set(row.key, sequence);
        rows.push({ row, sequence });
      }
      if (rows.length > 0) statements.push(rows);
    }
    return statements;
  }

  /** Rows committed: all of the transaction's or none. */
  async #transact(plan: TransactionPlan, statements: readonly PlannedRow[][]): Promise<number> {
    const { ledger, progress } = this.#options;
    const rows = statements.flat();
    let outcome = await this.#attempt(plan, statements);
    if (outcome === 'unknown') outcome = await this.#settle();
    if (outcome === 'committed') {
      ledger.commit(rows.map(({ row, sequence }) => ({ key: row.key, sequence })));
      progress.committedRows += rows.length;
      progress.commits += 1;
      if (plan.pauseMs > 0) progress.pauses += 1;
      if (rows.length > this.#options.mix.singleRowsMax) progress.bulkInserts += 1;
      return rows.length;
    }
    this.#again = [...rows.map(({ row }) => row), ...this.#again];
    progress.rolledBackRows += rows.length;
    progress.rollbacks += 1;
    return 0;
  }

  async #attempt(plan: TransactionPlan, statements: readonly PlannedRow[][]): Promise<Outcome> {
    let committing = false;
    try {
      const connection = await this.#open();
      await connection.query('START TRANSACTION');
      this.#firstId = '0';
      for (const [index, rows] of statements.entries()) {
        await this.#insert(connection, rows);
        if (index === 0 && plan.pauseMs > 0) await this.#clock.sleep(plan.pauseMs, this.#options.signal);
      }
      if (!plan.commits) {
        await connection.query('ROLLBACK');
        return 'rolled-back';
      }
      committing = true;
      await connection.query('COMMIT');
      return 'committed';
    } catch (error) {
      if (isOutage(error)) {
        this.#forget();
        this.#options.progress.reconnects += 1;
        return committing ? 'unknown' : 'rolled-back';
      }
      const full = FULL_ERRNOS.has(errnoOf(error));
      if (!full && !LOCK_ERRNOS.has(errnoOf(error))) throw error;
      if (full) await this.#clock.sleep(FULL_PAUSE_MS);
      else this.#options.progress.lockErrors += 1;
      // Both undo their statement only. Where there is no room for that either, the end of the session undoes it.
      await this.#connection?.query('ROLLBACK').catch(() => this.#forget());
      return full && committing ? 'unknown' : 'rolled-back';
    }
  }

  async #insert(connection: mysql.Connection, rows: readonly PlannedRow[]): Promise<void> {
    const { progress } = this.#options;
    const startedMs = this.#clock.nowMs();
    const values = rows.map(({ row, sequence }) => row.values(sequence));
    const [result] = await connection.query<mysql.ResultSetHeader>(this.#insertSql, [values]);
    progress.slowestStatementMs = Math.max(progress.slowestStatementMs, this.#clock.nowMs() - startedMs);
    if (this.#firstId === '0') this.#firstId = String(result.insertId);
  }

  /** Whether the first row is there, committed, decides. A locking read waits for a server that is still at it. */
  async #settle(): Promise<'committed' | 'rolled-back'> {
    const { name, table, watermarkColumn } = this.#options.target;
    const sql = `SELECT 1 FROM ${quote(name)}.${quote(table)} WHERE ${quote(watermarkColumn)} = ? LOCK IN SHARE MODE`;
    const connection = await this.#open();
    const [found] = await connection.query<mysql.RowDataPacket[]>(sql, [this.#firstId]);
    return found.length > 0 ? 'committed' : 'rolled-back';
  }

  async #open(): Promise<mysql.Connection> {
    if (this.#connection !== null) return this.#connection;
    const { host, port, user, password } = this.#options.target;
    const deadlineMs = this.#clock.nowMs() + RECONNECT_DEADLINE_MS;
    for (;;) {
      try {
        const options = { host, port, user, password, connectTimeout: CONNECT_TIMEOUT_MS, supportBigNumbers: true };
        this.#connection = await mysql.createConnection(options);
        // A connection lost while resting reports it by an event nobody else hears; the next statement fails anyway.
        this.#connection.on('error', () => undefined);
        return this.#connection;
      } catch (error) {
        if (this.#clock.nowMs() > deadlineMs || this.#options.signal.aborted) throw error;
        await this.#clock.sleep(RECONNECT_PAUSE_MS);
      }
    }
  }

  #forget(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }
}
