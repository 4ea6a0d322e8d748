/** The application whose rows are watched: overlapping transactions on the fake tables, with the order of its effects noted. */
import type { FakeSourceTable, FakeSourceTransaction } from '../fakes/source-table.ts';
import type { ScenarioRow, Statement, Transaction } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './sim-process.ts';

/** When a row began and ended, in numbers that only rise: a row that ended before another began came first for anyone. */
export interface RowHistory {
  readonly eventId: string;
  readonly source: string;
  readonly key: string | null;
  readonly poison: ScenarioRow['poison'];
  readonly transaction: number;
  readonly position: bigint;
  readonly begunAt: number;
  committedAt: number | null;
}

export class Application {
  readonly rows = new Map<string, RowHistory>();
  readonly #scheduler: Scheduler;
  readonly #tables: ReadonlyMap<string, FakeSourceTable>;
  readonly #trace: Trace | null;
  /** Transactions that have not ended yet. */
  unfinished = 0;
  /** Numbers everything that happens to rows. */
  now = 0;

  constructor(scheduler: Scheduler, tables: ReadonlyMap<string, FakeSourceTable>, trace: Trace | null) {
    this.#scheduler = scheduler;
    this.#tables = tables;
    this.#trace = trace;
  }

  start(transactions: readonly Transaction[]): void {
    for (const [index, transaction] of transactions.entries()) {
      this.unfinished += 1;
      this.#scheduler.after(transaction.atMs, () => this.#begin(transaction, index));
    }
  }

  #begin(transaction: Transaction, index: number): void {
    const table = this.#tables.get(transaction.source) as FakeSourceTable;
    const open = table.begin();
    const mine: RowHistory[] = [];
    this.#statement(transaction, index, open, mine, 0);
  }

  #statement(plan: Transaction, index: number, open: FakeSourceTransaction, mine: RowHistory[], at: number): void {
    const statement = plan.statements[at];
    if (statement === undefined) {
      this.#scheduler.after(plan.endAfterMs, () => this.#end(plan, index, open, mine));
      return;
    }
    this.#scheduler.after(statement.afterMs, () => {
      const ids = open.reserve(statement.rows.length);
      this.now += 1;
      for (const [place, row] of statement.rows.entries()) {
        if (place === 0 && statement.undoesFirst) continue;
        const position = ids[place] as bigint;
        const eventId = `${plan.source}:${position}`;
        const history = {
          eventId,
          source: plan.source,
          key: row.key,
          poison: row.poison,
          transaction: index,
          position,
          begunAt: this.now,
          committedAt: null,
        };
        mine.push(history);
      }
      this.#scheduler.after(statement.hiddenMs, () => {
        open.show();
        this.#putIn(statement, open, ids, () => this.#statement(plan, index, open, mine, at + 1));
      });
    });
  }

  #putIn(statement: Statement, open: FakeSourceTransaction, ids: readonly bigint[], then: () => void): void {
    const { waitMs, undoesFirst } = statement;
    const rows = statement.rows.map(({ key, topic, poison }) => ({ key, topic, body: poison }));
    if (undoesFirst) open.write(ids.slice(0, 1), rows.slice(0, 1));
    this.#scheduler.after(waitMs / 2, () => {
      if (undoesFirst) open.undo(ids.slice(0, 1));
      this.#scheduler.after(waitMs / 2, () => {
        const first = undoesFirst ? 1 : 0;
        open.write(ids.slice(first), rows.slice(first));
        then();
      });
    });
  }

  #end(plan: Transaction, index: number, open: FakeSourceTransaction, mine: RowHistory[]): void {
    this.unfinished -= 1;
    this.now += 1;
    this.#trace?.(() => {
      const what = mine.map(({ eventId, key }) => `${eventId}/${key}`).join(' ');
      return `application: transaction ${index} ${plan.commits ? 'commits' : 'rolls back'} ${what}`;
    });
    if (!plan.commits) {
      open.rollback();
      return;
    }
    open.commit();
    for (const row of mine) {
      row.committedAt = this.now;
      this.rows.set(row.eventId, row);
    }
  }
}
