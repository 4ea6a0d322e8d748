/**
 * One connection of a load: an application that inserts, rests, commits or rolls back, and goes on after the database was
 * away. It owns its keys, so their order is the order of its commits.
 */
import mysql from 'mysql2/promise';
import { type Clock, type Random, systemClock } from '#runtime';
import { HOT_ROWS_EACH, hotSql, slotOf } from './hot-rows.ts';
import type { Ledger } from './ledger.ts';
import type { LoadHistory, NotedTransaction } from './load-history.ts';
import type { LoadRow, LoadSupply, LoadTarget } from './load-supply.ts';
import { type LoadMix, planTransaction, type TransactionPlan } from './plan-transaction.ts';
import { undoneInsert } from './undone-insert.ts';

/** Counts so far, of all connections. */
export interface LoadProgress {
  committedRows: number;
  rolledBackRows: number;
  commits: number;
  rollbacks: number;
  bulkInserts: number;
  /** Transactions that rested with their ids taken. */
  pauses: number;
  /** Statements on hot rows. */
  hotStatements: number;
  /** Inserts undone to a savepoint, in transactions that committed. */
  undoneInserts: number;
  /** Deadlocks and lock waits the application met. */
  lockErrors: number;
  reconnects: number;
  slowestStatementMs: number;
}

export interface ConnectionOptions {
  /** From 1. */
  readonly number: number;
  readonly target: LoadTarget;
  readonly supply: LoadSupply;
  readonly mix: LoadMix;
  readonly random: Random;
  /** Committed rows a second; null: as fast as the database answers. */
  readonly rowsPerSecond: number | null;
  readonly ledger: Ledger;
  readonly history: LoadHistory;
  readonly progress: LoadProgress;
  readonly signal: AbortSignal;
}

type Outcome = 'committed' | 'rolled-back' | 'unknown';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_DEADLINE_MS = 120_000;
const RECONNECT_PAUSE_MS = 100;
const FULL_PAUSE_MS = 200;
/** Lock wait timeout, deadlock, also over the next id: the application rolls back and tries again. */
const LOCK_ERRNOS = new Set([1205, 1213, 1467]);
/** No room for the row: nothing of the statement was done, and the application tries again. */
const FULL_ERRNOS = new Set([3, 20, 1021, 1026, 1030, 1114]);
/** The server is going down, or has ended the session. */
const OUTAGE_ERRNOS = new Set([1053, 1077, 1927, 2006, 2013]);
const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

interface PlannedRow {
  readonly row: LoadRow;
  readonly sequence: number;
}

const named = ({ row, sequence }: PlannedRow) => ({ key: row.key, sequence });
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
  /** Sequences of the hot rows as they are in the table. */
  readonly #hot = new Map<number, number>();
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
      if (mix.hotShare > 0) await this.#insertHot();
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
        rows.push(this.#number(row));
      }
      if (rows.length > 0) statements.push(rows);
    }
    return statements;
  }

  /** A number once given is never given again: a row that should not exist is told from all that should. */
  #number(row: LoadRow): PlannedRow {
    const sequence = (this.#sequences.get(row.key) ?? 0) + 1;
    this.#sequences.set(row.key, sequence);
    return { row, sequence };
  }

  async #insertHot(): Promise<void> {
    for (let row = 0; row < HOT_ROWS_EACH; row += 1) {
      const hot = { kind: 'replace', row, slowMs: 0 } as const;
      const plan = { statements: [1], pauseMs: 0, commits: true, hot, undone: 0 };
      while (!this.#hot.has(row) && !this.#options.signal.aborted) await this.#transact(plan, this.#take(plan));
    }
  }

  /** Rows committed: all of the transaction's or none. */
  async #transact(plan: TransactionPlan, statements: readonly PlannedRow[][]): Promise<number> {
    const { progress, history, number } = this.#options;
    const rows = statements.flat();
    const noted = history.begin(`c${number}`);
    const hot = plan.hot === null ? null : this.#hotRow(plan.hot.row);
    let outcome = await this.#attempt(plan, statements, hot, noted);
    if (outcome === 'unknown') outcome = await this.#settle();
    noted.end(outcome);
    if (outcome === 'committed') {
      this.#commit(plan, rows, hot);
      return rows.length;
    }
    this.#again = [...rows.map(({ row }) => row), ...this.#again];
    progress.rolledBackRows += rows.length;
    progress.rollbacks += 1;
    return 0;
  }

  #hotRow(row: number): PlannedRow {
    const hot = this.#options.supply.hot?.(row);
    if (hot === undefined) throw new Error('the supply has no hot rows');
    return this.#number(hot);
  }

  #commit(plan: TransactionPlan, rows: readonly PlannedRow[], hot: PlannedRow | null): void {
    const { ledger, progress, mix } = this.#options;
    const replaced = plan.hot?.kind === 'replace' && hot !== null ? [hot] : [];
    ledger.commit([...replaced, ...rows].map(({ row, sequence }) => ({ key: row.key, sequence })));
    for (const { row, sequence } of replaced) {
      const before = this.#hot.get(plan.hot?.row ?? 0);
      if (before !== undefined) ledger.replace(row.key, before);
      this.#hot.set(plan.hot?.row ?? 0, sequence);
    }
    progress.committedRows += rows.length + replaced.length;
    progress.commits += 1;
    if (plan.hot !== null) progress.hotStatements += 1;
    if (plan.undone > 0) progress.undoneInserts += 1;
    if (plan.pauseMs > 0) progress.pauses += 1;
    if (rows.length > mix.singleRowsMax + 1) progress.bulkInserts += 1;
  }

  async #attempt(
    plan: TransactionPlan,
    statements: readonly PlannedRow[][],
    hot: PlannedRow | null,
    noted: NotedTransaction,
  ): Promise<Outcome> {
    let committing = false;
    try {
      const connection = await this.#open();
      await connection.query('START TRANSACTION');
      this.#firstId = '0';
      if (hot !== null && plan.hot?.kind === 'replace') await this.#runHot(connection, plan, hot, [], noted);
      for (const [index, rows] of statements.entries()) {
        const asHot = index === 0 && plan.hot !== null && plan.hot.kind !== 'replace';
        if (asHot && hot !== null) await this.#runHot(connection, plan, hot, rows, noted);
        else await this.#insert(connection, rows, noted);
        if (index === 0) await this.#insertAndUndo(connection, plan.undone, rows[0] as PlannedRow, noted);
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

  /** Its ids decide nothing: the server tells the first one that it gave, and there may be none. */
  async #runHot(
    connection: mysql.Connection,
    plan: TransactionPlan,
    hot: PlannedRow,
    rows: readonly PlannedRow[],
    noted: NotedTransaction,
  ): Promise<void> {
    const { target, number } = this.#options;
    const { kind, row, slowMs } = plan.hot ?? { kind: 'replace', row: 0, slowMs: 0 };
    const valuesOf = (planned: PlannedRow) => planned.row.values(planned.sequence);
    const { sql, values } = hotSql({
      ...{ kind, slowMs, columns: target.columns, slot: slotOf(number, row), hot: valuesOf(hot) },
      ...{ rows: rows.map(valuesOf), table: `${quote(target.name)}.${quote(target.table)}` },
      freeColumn: target.freeColumn ?? '',
    });
    const answered = noted.statement(kind, [hot, ...rows].map(named));
    const [{ insertId, affectedRows }] = await connection.query<mysql.ResultSetHeader>(sql, [...values]);
    answered({ firstId: insertId, affectedRows });
  }

  async #insert(connection: mysql.Connection, rows: readonly PlannedRow[], noted: NotedTransaction): Promise<void> {
    const { progress } = this.#options;
    const startedMs = this.#clock.nowMs();
    const values = rows.map(({ row, sequence }) => row.values(sequence));
    const answered = noted.statement('insert', rows.map(named));
    const [result] = await connection.query<mysql.ResultSetHeader>(this.#insertSql, [values]);
    answered({ firstId: result.insertId, affectedRows: result.affectedRows });
    progress.slowestStatementMs = Math.max(progress.slowestStatementMs, this.#clock.nowMs() - startedMs);
    if (this.#firstId === '0') this.#firstId = String(result.insertId);
  }

  /** Rows like this one, under numbers of their own: whoever finds one knows that it should not be there. */
  async #insertAndUndo(session: mysql.Connection, count: number, like: PlannedRow, noted: NotedTransaction) {
    const rows = Array.from({ length: count }, () => this.#number(like.row));
    const values = rows.map(({ row, sequence }) => row.values(sequence));
    if (count > 0) await undoneInsert(session, this.#insertSql, values, noted.statement('insert', rows.map(named)));
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
