/** The source port on a MySQL-protocol server, mode `append`. */
import { type EngineKind, errnoOf, type Pool, rollback, type Session, type SqlValue } from '#database';
import {
  type BatchLimits,
  bytesOf,
  type DeliveredColumn,
  type GapMode,
  type PositionRange,
  type RowRemoval,
  type SourceBatch,
  type SourceDefinition,
  type SourceReader,
  type SourceRow,
  type SourceSnapshot,
  type TableMark,
  type TransactionList,
} from '#outbox';
import { type Logger, RelayError, systemClock } from '#runtime';
import { checkArchive } from './archive-table.ts';
import { neededGraceMs } from './gap-grace.ts';
import { inspectTable, type TableFacts } from './inspect-table.ts';
import type { Lender } from './lender.ts';
import { listerOf, type TransactionLister } from './list-transactions.ts';
import { nextPosition } from './next-position.ts';
import type { PositionColumn } from './position-column.ts';
import { rangesCondition } from './ranges-condition.ts';
import { buildReadPlan, deliveredColumns, type ReadPlan, refuseGoneColumns } from './read-plan.ts';
import {
  RANGES_PER_STATEMENT_MAX,
  readCommitted,
  readHighestPosition,
  readLowestIn,
  readLowestPosition,
  readMasked,
  readUncommitted,
} from './read-positions.ts';
import { type ReadOutcome, readRows } from './read-rows.ts';
import { type RemovalStatements, removalStatements, removeRows } from './remove-rows.ts';
import { tableMark } from './table-mark.ts';

export interface SourceReaderOptions {
  readonly pool: Pool;
  readonly source: SourceDefinition;
  /** As `proveGapMode` found it. */
  readonly gapMode: GapMode;
  /** The server it was found on, whose sessions `pool` has; null or absent: of no account. */
  readonly server?: string | null;
  readonly logger: Logger;
  /** Columns delivered so far; null or absent: not known. */
  readonly delivered?: readonly DeliveredColumn[] | null;
}

/** ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE, ER_KEY_DOES_NOT_EXITS: the table is not what the plan was made for. */
const SCHEMA_ERRNOS: ReadonlySet<number> = new Set([1054, 1146, 1176]);
/** A read made with a fresh plan can only be stale again if the table was altered in between. */
const PLAN_ATTEMPTS_MAX = 3;
/** Rows asked for beyond what the last batch's row size says will fit. */
const LIMIT_SLACK = 1.25;

/**
 * Inspects the table and makes a reader. Rejects with DB_SCHEMA when table, watermark column, index or a named column
 * is not as it must be, with SOURCE_TABLE_MISSING and SOURCE_COLUMNS_GONE when it was and is no more, and with DB_UNSUPPORTED when
 * a gap mode other than `time` is asked of a table without transactions.
 */
export async function createSourceReader(options: SourceReaderOptions): Promise<SourceReader> {
  const { pool, source, logger } = options;
  const { kind } = await pool.engine();
  const table = await inspectTable(pool, source.table, source.watermarkColumn, (columns) =>
    refuseGoneColumns(source, columns, options.delivered ?? null),
  );
  for (const warning of table.warnings) logger.warn({ source: source.name }, warning);
  if (options.gapMode !== 'time' && table.storageEngine.toLowerCase() !== 'innodb') {
    throw new RelayError(
      'DB_UNSUPPORTED',
      `source table ${table.name} is ${table.storageEngine}, which has no transactions: set the source's gap mode to time`,
    );
  }
  const graceMs = await graceMsOf(pool, options.gapMode, table);
  if (!source.event) return new TableReader(options, kind, table, graceMs);
  await refuseUnremovable(pool, table);
  if (source.event.archive !== null) await checkArchive(pool, source.event.archive.table, table);
  return new ConsumingReader(options, kind, table, graceMs);
}

/** Mode `consume` needs transactions, and the right to delete: better known now than with the first row. */
async function refuseUnremovable(pool: Pool, { name, quotedName, storageEngine }: TableFacts): Promise<void> {
  const { kind } = await pool.engine();
  if ((kind === 'mariadb' || kind === 'mysql') && storageEngine.toLowerCase() !== 'innodb') {
    throw new RelayError('DB_UNSUPPORTED', `outbox table ${name} is ${storageEngine}, mode consume needs InnoDB`);
  }
  await pool.run(`DELETE FROM ${quotedName} WHERE 1 = 0`);
}

async function graceMsOf(pool: Pool, gapMode: GapMode, { indexesBefore }: TableFacts): Promise<number> {
  if (gapMode !== 'locks') return neededGraceMs(gapMode, 0);
  const [row] = await pool.query<{ seconds: string | number }>('SELECT @@GLOBAL.innodb_lock_wait_timeout AS seconds');
  return neededGraceMs(gapMode, Number(row?.seconds ?? 0) * 1_000, indexesBefore);
}

class TableReader implements SourceReader {
  readonly gapMode: GapMode;
  readonly graceMs: number;
  readonly server: string | null;
  readonly #pool: Pool;
  readonly #lister: TransactionLister;
  readonly #source: SourceDefinition;
  readonly #logger: Logger;
  readonly #kind: EngineKind;
  #plan: ReadPlan;
  #table: TableFacts;
  #columns: readonly DeliveredColumn[];
  /** Mean bytes of the last batch's rows; null before the first. */
  #rowBytes: number | null = null;

  constructor(options: SourceReaderOptions, kind: EngineKind, table: TableFacts, graceMs: number) {
    this.gapMode = options.gapMode;
    this.graceMs = graceMs;
    this.server = options.server ?? null;
    this.#pool = options.pool;
    this.#lister = listerOf(options.pool, systemClock);
    this.#source = options.source;
    this.#logger = options.logger;
    this.#kind = kind;
    this.#table = table;
    this.#plan = buildReadPlan(options.source, table);
    this.#columns = deliveredColumns(this.#plan, table);
  }

  get columns(): readonly DeliveredColumn[] {
    return this.#columns;
  }

  nextPosition(): Promise<bigint | null> {
    return nextPosition(this.#pool, this.#source.table);
  }

  tableMark(): Promise<TableMark | null> {
    return tableMark(this.#pool, this.#source.table);
  }

  lowestIn(partition: string): Promise<bigint | null> {
    if (partition === '') return this.lowestPosition();
    return this.#withPlan((target) => readLowestIn(this.#pool, target, this.#table.quotedName, partition));
  }

  readAfter(after: bigint, limits: BatchLimits): Promise<SourceBatch> {
    return this.#read(this.#pool, (plan) => `${plan.watermark} > ?`, [after], limits);
  }

  /** One session reads it all at REPEATABLE READ. An engine without such snapshots reads each statement as of its own moment. */
  inSnapshot<T>(work: (snapshot: SourceSnapshot) => Promise<T>): Promise<T> {
    return this.#pool.use(async (session) => {
      if (this.#kind !== 'singlestore') {
        await session.run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
        await session.run('START TRANSACTION WITH CONSISTENT SNAPSHOT');
      }
      const lender: Lender = { use: (statement) => statement(session) };
      try {
        return await work({
          readRanges: (ranges, limits) => this.#readRanges(lender, ranges, limits),
          committedIn: (ranges, rowsMax) => this.#withPlan((target) => readCommitted(lender, target, ranges, rowsMax)),
          committedOf: (mask) => this.#withPlan((target) => readMasked(lender, target, mask)),
        });
      } finally {
        // A batch that was cut may have cost the session.
        if (this.#kind !== 'singlestore' && !session.broken) await rollback(session);
      }
    });
  }

  async #readRanges(lender: Lender, ranges: readonly PositionRange[], limits: BatchLimits): Promise<SourceBatch> {
    const rows: SourceRow[] = [];
    let bytesLeft = limits.bytesMax;
    for (let first = 0; first < ranges.length; first += RANGES_PER_STATEMENT_MAX) {
      const some = ranges.slice(first, first + RANGES_PER_STATEMENT_MAX);
      const batch = await this.#read(
        lender,
        (plan) => rangesCondition(plan.watermark, some).where,
        rangesCondition('', some).values,
        { rowsMax: limits.rowsMax - rows.length, bytesMax: bytesLeft },
      );
      for (const row of batch.rows) {
        bytesLeft -= bytesOf(row);
        // The first row of a later statement is not the batch's first, and has no right to more than the budget.
        if (bytesLeft < 0 && rows.length > 0) return { rows, full: true };
        rows.push(row);
      }
      const more = first + RANGES_PER_STATEMENT_MAX < ranges.length;
      if (batch.full || (more && (rows.length >= limits.rowsMax || bytesLeft <= 0))) return { rows, full: true };
    }
    return { rows, full: false };
  }

  listTransactions(): Promise<TransactionList | null> {
    return this.#lister.list();
  }

  highestPosition(): Promise<bigint | null> {
    return this.#withPlan((target) => readHighestPosition(this.#pool, target));
  }

  committedIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]> {
    return this.#withPlan((target) => readCommitted(this.#pool, target, ranges, rowsMax));
  }

  presentIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]> {
    return this.#withPlan((target) => readUncommitted(this.#pool, target, ranges, rowsMax));
  }

  lowestPosition(): Promise<bigint | null> {
    return this.#withPlan((target) => readLowestPosition(this.#pool, target));
  }

  /** For the table as it was last seen. */
  removalStatements(): RemovalStatements {
    const archive = this.#source.event?.archive?.table ?? null;
    return removalStatements(this.#table, this.#plan.watermark, archive, this.#kind);
  }

  async #read(
    lender: Lender,
    where: (plan: ReadPlan) => string,
    values: readonly SqlValue[],
    limits: BatchLimits,
  ): Promise<SourceBatch> {
    const batch = await this.#withPlan((_target, plan) =>
      readRows(lender, plan, where(plan), values, limits, this.#limitRows(limits)),
    );
    const { rows } = batch;
    if (rows.length > 0) {
      this.#rowBytes = rows.reduce((sum, row) => sum + bytesOf(row), 0) / rows.length;
    }
    return batch;
  }

  /** Few rows are asked for when rows are big, so that little of a result is read only to be dropped. */
  #limitRows({ rowsMax, bytesMax }: BatchLimits): number {
    if (this.#rowBytes === null) return rowsMax;
    return Math.min(rowsMax, Math.ceil((bytesMax / Math.max(this.#rowBytes, 1)) * LIMIT_SLACK));
  }

  /** Runs a statement; when the table turns out to have changed, describes it anew and runs it again. */
  async #withPlan<T>(
    work: (target: PositionColumn, plan: ReadPlan) => Promise<T | Extract<ReadOutcome, 'stale'>>,
  ): Promise<T> {
    for (let attempt = 1; attempt <= PLAN_ATTEMPTS_MAX; attempt += 1) {
      const plan = this.#plan;
      try {
        const outcome = await work({ from: plan.from, column: plan.watermark }, plan);
        if (outcome !== 'stale') return outcome as T;
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === null || !SCHEMA_ERRNOS.has(errno)) throw error;
      }
      await this.#refreshPlan();
    }
    throw new RelayError('DB_SCHEMA', `source table ${this.#source.table} keeps changing while it is read`);
  }

  /** Rejects with SOURCE_COLUMNS_GONE when a column that used to be delivered is gone: readers would miss it without a word. */
  async #refreshPlan(): Promise<void> {
    const { table: name, watermarkColumn } = this.#source;
    const table = await inspectTable(this.#pool, name, watermarkColumn, (columns) =>
      refuseGoneColumns(this.#source, columns, this.#columns),
    );
    this.#plan = buildReadPlan(this.#source, table);
    this.#table = table;
    this.#columns = deliveredColumns(this.#plan, table);
    this.#logger.info({ source: this.#source.name, columns: this.#columns.length }, 'source table changed');
  }
}

/** Mode `consume`. */
class ConsumingReader extends TableReader {
  readonly removal: RowRemoval = {
    lowestPosition: () => this.lowestPosition(),
    remove: (transaction, positions) => removeRows(transaction as Session, this.removalStatements(), positions),
  };
}
