/** Puts events into the outbox table, in the transaction of the change that they tell of. */
import { RelayError } from '#runtime';
import type { EventFormatter } from './formatters/event-formatter.ts';
import { jsonFormatter } from './formatters/json.ts';
import {
  type EncodedEvent,
  type InsertStatement,
  insertStatements,
  roomFor,
  type Statement,
} from './insert-statement.ts';
import { type MysqlConnection, mysqlTransaction } from './mysql-executor.ts';
import { completeEvent, type EventDefaults, type OutboxEvent, type OutboxEventInit } from './outbox-event.ts';
import { OUTBOX_TABLE, quoteOutboxTable } from './outbox-table.ts';
import { asRefusal, asTooLarge, isNotKept } from './server-errors.ts';
import type { SqlExecutor, SyncSqlExecutor } from './sql-executor.ts';

/** What is known of an event when it is checked: everything but its place in the table. */
export type EventCheck = (row: EncodedEvent) => void | Promise<void>;

export interface OutboxRepositoryOptions extends EventDefaults {
  /** Default `outboxevent`; on a server `schema.name` is possible, on SQLite any name. */
  readonly table?: string;
  /** Default: plain JSON. */
  readonly formatter?: EventFormatter;
  /** Further looks at an event before it is stored; each throws EVENT_REFUSED. */
  readonly checks?: readonly EventCheck[];
  /**
   * Told of every row stored, so that the relay hears of it soon after the commit: `createOutboxDoorbell` or an OutboxPublisher. Not
   * waited for, and whatever it throws is left alone: the relay finds the row by polling all the same.
   */
  readonly doorbell?: { ringSoon(): void };
}

/** What `add` takes for a transaction: a mysql2 connection, or what an adapter made of another library's. */
export type OutboxTransaction = SqlExecutor | MysqlConnection;

const isExecutor = (tx: OutboxTransaction): tx is SqlExecutor =>
  'dialect' in tx && typeof (tx as SqlExecutor).run === 'function';

export class OutboxRepository {
  readonly #options: OutboxRepositoryOptions;
  readonly #table: string;
  readonly #formatter: EventFormatter;

  /** Throws CONFIG_INVALID for a table name that no database takes; whether the transaction's takes it shows with the first event. */
  constructor(options: OutboxRepositoryOptions = {}) {
    this.#options = options;
    this.#table = options.table ?? OUTBOX_TABLE;
    quoteOutboxTable(this.#table, 'sqlite');
    this.#formatter = options.formatter ?? jsonFormatter;
  }

  /**
   * Stores an event in the caller's transaction: it is sent when that commits, and never was when it does not. Resolves to
   * the event as stored. Rejects with EVENT_REFUSED (`details.reason` says why) when the event is not fit to be sent or its
   * id is in the table already, with CONFIG_INVALID when a mysql2 connection has no transaction; a driver's errors come
   * through as they are. After any of them the transaction is the caller's to roll back.
   */
  async add<P>(tx: OutboxTransaction, event: OutboxEventInit<P>): Promise<OutboxEvent<P>> {
    const [added] = await this.addMany(tx, [event]);
    return added as OutboxEvent<P>;
  }

  /** The same for several, in the order given; all are checked before the first is stored. */
  async addMany<P>(tx: OutboxTransaction, events: readonly OutboxEventInit<P>[]): Promise<readonly OutboxEvent<P>[]> {
    if (typeof tx !== 'object' || tx === null) {
      throw new RelayError(
        'CONFIG_INVALID',
        'an outbox event needs a transaction: a mysql2 connection, or an adapter around yours',
      );
    }
    const executor = isExecutor(tx) ? tx : mysqlTransaction(tx);
    const rows: EncodedEvent[] = [];
    for (const init of events) {
      const event = completeEvent(init, this.#options);
      const row = { event, formatted: await this.#formatter.format(event) };
      for (const check of this.#options.checks ?? []) await check(row);
      rows.push(row);
    }
    const statements = insertStatements(quoteOutboxTable(this.#table, executor.dialect), rows, executor.dialect);
    for (const statement of statements) {
      const room = roomFor(statement, executor.dialect);
      if (room !== null) await runOr(executor, room, asTooLarge);
    }
    for (const statement of statements) await this.#insert(executor, statement);
    if (rows.length > 0) this.#ringSoon();
    return rows.map(({ event }) => event as OutboxEvent<P>);
  }

  /** `add` where the database is synchronous. Throws CONFIG_INVALID when the formatter or a check is not. */
  addSync<P>(tx: SyncSqlExecutor, event: OutboxEventInit<P>): OutboxEvent<P> {
    return this.addManySync(tx, [event])[0] as OutboxEvent<P>;
  }

  addManySync<P>(tx: SyncSqlExecutor, events: readonly OutboxEventInit<P>[]): readonly OutboxEvent<P>[] {
    const rows = events.map((init): EncodedEvent => {
      const event = completeEvent(init, this.#options);
      const row = { event, formatted: now(this.#formatter.format(event), 'formatter') };
      for (const check of this.#options.checks ?? []) now(check(row), 'check');
      return row;
    });
    for (const { sql, parameters } of insertStatements(quoteOutboxTable(this.#table, tx.dialect), rows, tx.dialect)) {
      try {
        tx.runSync(sql, parameters);
      } catch (thrown) {
        throw asRefusal(thrown, this.#table);
      }
    }
    if (rows.length > 0) this.#ringSoon();
    return rows.map(({ event }) => event as OutboxEvent<P>);
  }

  async #insert(executor: SqlExecutor, statement: InsertStatement): Promise<void> {
    const explain = (thrown: unknown) => asRefusal(thrown, this.#table);
    try {
      await executor.run(statement.sql, statement.parameters);
    } catch (thrown) {
      if (statement.naming === undefined || !isNotKept(thrown)) throw explain(thrown);
      // The server has undone the statement. The slower one fails for the same reason and says for which column.
      await runOr(executor, statement.naming(), explain);
    }
  }

  #ringSoon(): void {
    try {
      this.#options.doorbell?.ringSoon();
    } catch {
      // A hint that cannot be given must not fail a business transaction whose row is stored.
    }
  }
}

async function runOr(
  executor: SqlExecutor,
  { sql, parameters }: Statement,
  explain: (thrown: unknown) => unknown,
): Promise<void> {
  try {
    await executor.run(sql, parameters);
  } catch (thrown) {
    throw explain(thrown);
  }
}

function now<T>(answer: T | Promise<T>, what: string): T {
  if (!(answer instanceof Promise)) return answer;
  answer.catch(() => undefined);
  throw new RelayError('CONFIG_INVALID', `a synchronous transaction takes only a synchronous ${what}`);
}
