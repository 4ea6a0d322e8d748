/**
 * One connection of a load with ids without rows. It plans a transaction, does it, survives whatever it or another session makes
 * of it, and writes down how it ended. Its keys are everybody's.
 */
import { type Clock, type Random, systemClock } from '#runtime';
import { errnoOf, LoadSession, type SessionTarget, type Undone, undoneBy } from './load-session.ts';
import { ROWLESS_DANGEROUS, type RowlessKind, type RowlessPlan, type StatementPlan } from './plan-rowless.ts';
import { buildStatement, tokensOf } from './rowless-statements.ts';
import { ROWLESS_CHILDREN, ROWLESS_TRANSACTIONS } from './rowless-table.ts';
import type { Outcome, StatementEntry, TransactionBook, TransactionEntry } from './transaction-book.ts';
import { decideByRow, type LeftTransaction, xaName } from './xa-transactions.ts';

/** Counts so far, of all connections. */
export interface RowlessProgress {
  /** Statements done, by kind. */
  readonly byKind: Map<RowlessKind, number>;
  /** Statements of dangerous kinds that were done. */
  dangerous: number;
  /** Those of them that took longer than the mark of `DANGER_MS`. */
  dangerousAndSlow: number;
  slowestMs: number;
  commits: number;
  rollbacks: number;
  unknown: number;
  /** Statements that failed, by the server's number. */
  readonly failed: Map<number, number>;
  prepared: number;
  kills: number;
  holds: number;
  longTransactions: number;
}

export interface RowlessConnectionOptions {
  readonly name: string;
  readonly target: SessionTarget;
  readonly book: TransactionBook;
  readonly progress: RowlessProgress;
  readonly random: Random;
  /** The next transaction; null: none for now. */
  readonly plan: () => RowlessPlan | null;
  /** Ends the session with this number, as an administrator would. */
  readonly kill: (threadId: number) => Promise<void>;
  /** Gets XA transactions that are, or may be, prepared, for another connection to end. */
  readonly leave: (left: LeftTransaction) => void;
  /** One statement at a time may name an id. */
  readonly explicit: { busy: boolean };
  readonly signal: AbortSignal;
}

/** Longer than the grace that closed gaps of the lock probe. */
export const DANGER_MS = 1_000;
/** An explicit id is so far ahead of all that are known, and must still be half as far when its statement is done. */
const AHEAD = 200_000;
/** ER_QUERY_INTERRUPTED. */
const KILLED_ERRNO = 1317;
/** The largest step of ids, twice. */
const STEPS_MAX = 20;
const IDLE_MS = 50;
const CUT_MS_MAX = 300;

export class RowlessConnection {
  readonly session: LoadSession;
  /** A transaction is under way. */
  busy = false;
  readonly #options: RowlessConnectionOptions;
  readonly #clock: Clock = systemClock;
  #tagWritten = false;

  constructor(options: RowlessConnectionOptions) {
    this.#options = options;
    this.session = new LoadSession(options.target, options.signal);
  }

  /** Until the signal aborts; the transaction under way is ended. */
  async run(): Promise<void> {
    const { signal, plan } = this.#options;
    try {
      while (!signal.aborted) {
        const next = plan();
        if (next === null) await this.#clock.sleep(IDLE_MS, signal);
        else {
          this.busy = true;
          await this.transact(next);
          this.busy = false;
        }
      }
    } finally {
      this.session.drop();
    }
  }

  async transact(plan: RowlessPlan): Promise<void> {
    const { book, name, progress } = this.#options;
    if (plan.session !== null) this.session.use(plan.session);
    const entry = book.begin(name, plan.mode);
    this.#tagWritten = false;
    const outcome = await this.#attempt(plan, entry);
    if (outcome === 'prepared') return;
    book.end(entry, outcome);
    if (outcome === 'committed') progress.commits += 1;
    else if (outcome === 'unknown') progress.unknown += 1;
    else progress.rollbacks += 1;
  }

  async #attempt(plan: RowlessPlan, entry: TransactionEntry): Promise<Outcome | 'prepared'> {
    try {
      await this.session.ready();
      if (plan.mode === 'autocommit') return await this.#alone(plan, entry);
      return await this.#together(plan, entry);
    } catch (error) {
      const undone = undoneBy(error);
      if (undone === null) throw error;
      return this.#afterError(plan, undone);
    }
  }

  /** Nothing was committed: what may have been is decided where its COMMIT was sent. */
  async #afterError(plan: RowlessPlan, undone: Undone): Promise<Outcome> {
    if (undone === 'session' || plan.mode === 'xa') {
      // An XA transaction that is not prepared ends with its session.
      this.session.drop();
      return 'rolled-back';
    }
    if (plan.mode === 'transaction') await this.session.query('ROLLBACK').catch(() => this.session.drop());
    return 'rolled-back';
  }

  async #alone(plan: RowlessPlan, entry: TransactionEntry): Promise<Outcome> {
    const [statement] = plan.statements;
    if (statement === undefined) return 'rolled-back';
    const cutting = plan.end === 'cut' || plan.end === 'kill' ? this.#cutSoon(plan.end) : null;
    try {
      await this.#run(statement, entry);
      return 'committed';
    } catch (error) {
      const undone = undoneBy(error);
      if (undone === null) throw error;
      if (undone === 'session') this.session.drop();
      // A lost answer or a KILL may have met a statement that was done already.
      return undone === 'session' || errnoOf(error) === KILLED_ERRNO ? 'unknown' : 'rolled-back';
    } finally {
      await cutting;
    }
  }

  async #cutSoon(how: 'cut' | 'kill'): Promise<void> {
    const thread = this.session.threadId;
    await this.#clock.sleep(this.#options.random() * CUT_MS_MAX);
    if (how === 'cut') this.session.drop();
    else if (thread !== null) await this.#options.kill(thread);
  }

  async #together(plan: RowlessPlan, entry: TransactionEntry): Promise<Outcome | 'prepared'> {
    const xa = plan.mode === 'xa' ? xaName(this.#options.target.name, entry.number) : null;
    await this.session.query(xa === null ? 'START TRANSACTION' : `XA START ${xa}`);
    for (const [index, statement] of plan.statements.entries()) {
      await this.#inside(statement, entry, `s${index}`);
      if (statement.pauseMs > 0) await this.#clock.sleep(statement.pauseMs, this.#options.signal);
    }
    await this.session.query(`INSERT INTO ${ROWLESS_TRANSACTIONS} VALUES (?)`, [entry.number]);
    this.#tagWritten = true;
    return xa === null ? this.#end(plan, entry) : this.#endXa(plan, entry, xa);
  }

  async #inside(plan: StatementPlan, entry: TransactionEntry, savepoint: string): Promise<void> {
    if (plan.undone) await this.session.query(`SAVEPOINT ${savepoint}`);
    const statements = entry.statements.length;
    try {
      await this.#run(plan, entry);
    } catch (error) {
      if (undoneBy(error) !== 'statement' || !plan.goesOn) throw error;
    }
    if (!plan.undone) return;
    await this.session.query(`ROLLBACK TO ${savepoint}`);
    for (const done of entry.statements.slice(statements)) if (done.outcome === 'done') done.outcome = 'undone';
  }

  async #end({ end }: RowlessPlan, entry: TransactionEntry): Promise<Outcome> {
    if (end === 'rollback') {
      await this.session.query('ROLLBACK');
      return 'rolled-back';
    }
    try {
      const committing = this.session.query('COMMIT');
      committing.catch(() => undefined);
      if (end === 'cut') this.session.drop();
      if (end === 'kill' && this.session.threadId !== null) await this.#options.kill(this.session.threadId);
      await committing;
      return 'committed';
    } catch (error) {
      if (undoneBy(error) === null) throw error;
      this.session.drop();
      return this.#decide(entry);
    }
  }

  async #endXa(plan: RowlessPlan, entry: TransactionEntry, xa: string): Promise<Outcome | 'prepared'> {
    await this.session.query(`XA END ${xa}`);
    if (plan.end === 'rollback') {
      await this.session.query(`XA ROLLBACK ${xa}`);
      return 'rolled-back';
    }
    try {
      await this.session.query(`XA PREPARE ${xa}`);
      this.#options.progress.prepared += 1;
      if (plan.end !== 'commit') {
        this.session.drop();
        this.#leave(entry, plan);
        return 'prepared';
      }
      await this.#clock.sleep(plan.preparedMs, this.#options.signal);
      await this.session.query(`XA COMMIT ${xa}`);
      return 'committed';
    } catch (error) {
      if (undoneBy(error) === null) throw error;
      // Prepared or not, and committed or not: whoever looks after the prepared ones finds out.
      this.session.drop();
      this.#leave(entry, plan);
      return 'prepared';
    }
  }

  #leave(entry: TransactionEntry, plan: RowlessPlan): void {
    const dueMs = this.#clock.nowMs() + plan.preparedMs;
    this.#options.leave({ entry, commits: plan.end !== 'rollback-elsewhere', dueMs });
  }

  async #run(plan: StatementPlan, entry: TransactionEntry): Promise<void> {
    const { book, progress, explicit } = this.#options;
    const named = plan.kind === 'insert-explicit-id' && !explicit.busy;
    const usual = plan.kind === 'insert-explicit-id' && !named ? { ...plan, kind: 'insert' as const } : plan;
    const before = book.highestId;
    const explicitId = named ? before + AHEAD : 0;
    const statement = book.statement(entry, usual.kind, tokensOf(usual));
    const built = buildStatement(usual, statement.first, explicitId);
    statement.keys = built.keys;
    if (named) {
      explicit.busy = true;
      statement.explicitId = explicitId;
    }
    try {
      const { insertId, affectedRows } = await this.session.run(built);
      book.answered(statement);
      statement.firstId = insertId;
      statement.affectedRows = affectedRows;
      this.#noteIds(statement, usual);
      progress.byKind.set(usual.kind, (progress.byKind.get(usual.kind) ?? 0) + 1);
      this.#noteDanger(statement, usual.kind);
    } catch (error) {
      const errno = errnoOf(error);
      statement.errno = errno;
      if (undoneBy(error) !== 'session' && errno !== KILLED_ERRNO) statement.outcome = 'failed';
      else if (entry.mode !== 'autocommit') statement.outcome = 'failed';
      progress.failed.set(errno, (progress.failed.get(errno) ?? 0) + 1);
      throw error;
    } finally {
      if (named) explicit.busy = false;
    }
    // Not where it would be a transaction of its own, whose failure says nothing of the row.
    if (usual.kind !== 'insert-child' || entry.mode === 'autocommit') return;
    await this.session.query(`INSERT INTO ${ROWLESS_CHILDREN} (row_id) VALUES (?)`, [statement.firstId]);
  }

  #noteIds(statement: StatementEntry, { kind, hot, fresh }: StatementPlan): void {
    const { book } = this.#options;
    if (statement.explicitId === null) {
      // What it had reserved, in steps of 10 at most, and twice that where the server doubled what it reserves.
      if (kind !== 'update' && kind !== 'delete') book.sawIds(statement.firstId + (hot.length + fresh) * STEPS_MAX);
      return;
    }
    // Others may have come near while it waited.
    if (statement.explicitId < book.highestId + AHEAD / 2) book.low(statement.first + 1);
    book.sawIds(statement.explicitId + fresh * STEPS_MAX);
  }

  #noteDanger({ tookMs }: StatementEntry, kind: RowlessKind): void {
    const { progress } = this.#options;
    progress.slowestMs = Math.max(progress.slowestMs, tookMs);
    if (!ROWLESS_DANGEROUS.has(kind)) return;
    progress.dangerous += 1;
    if (tookMs > DANGER_MS) progress.dangerousAndSlow += 1;
  }

  /** The transaction's own row decides. It is locked for as long as the server is still at it, and a locking read waits. */
  async #decide({ number }: TransactionEntry): Promise<Outcome> {
    if (!this.#tagWritten) return 'rolled-back';
    return decideByRow(this.session, number, this.#clock);
  }
}
