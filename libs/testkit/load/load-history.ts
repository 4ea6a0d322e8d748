/** Transactions of a load whose rows are told by key and sequence, as lines of a history: `key:sequence` is the token. */
import type { HistoryStatement, HistoryTransaction } from './write-history.ts';

export interface NotedRow {
  readonly key: string;
  readonly sequence: number;
}

export const sampleToken = ({ key, sequence }: NotedRow): string => `${key}:${sequence}`;

export interface NotedAnswer {
  readonly firstId: number;
  readonly affectedRows: number;
  readonly undone?: boolean;
}

export interface NotedTransaction {
  /** A statement that is about to be sent. The returned function takes its answer, and again once a savepoint has undone it. */
  statement(kind: string, rows: readonly NotedRow[]): (answer: NotedAnswer) => void;
  end(outcome: HistoryTransaction['outcome']): void;
}

/** Without `write` it only counts. */
export class LoadHistory {
  readonly #write: ((transaction: HistoryTransaction) => void) | null;
  #order = 0;
  #transactions = 0;

  constructor(write: ((transaction: HistoryTransaction) => void) | null = null) {
    this.#write = write;
  }

  begin(connection: string): NotedTransaction {
    this.#transactions += 1;
    const transaction = this.#transactions;
    const began = this.#next();
    const beganAtMs = Date.now();
    const statements: HistoryStatement[] = [];
    return {
      statement: (kind, rows) => {
        const index = statements.length;
        const sentAtMs = Date.now();
        const sent: HistoryStatement = {
          ...{ kind, outcome: 'failed', errno: null, began: this.#next(), ended: null, tookMs: 0 },
          ...{ keys: rows.map(({ key }) => key), tokens: rows.map(sampleToken) },
          ...{ firstId: null, explicitId: null, affectedRows: 0 },
        };
        statements.push(sent);
        return ({ firstId, affectedRows, undone = false }) => {
          const answered = { ended: this.#next(), tookMs: Date.now() - sentAtMs, affectedRows };
          statements[index] = {
            ...sent,
            ...answered,
            outcome: undone ? 'undone' : 'done',
            firstId: firstId === 0 ? null : String(firstId),
          };
        };
      },
      end: (outcome) => {
        const ended = this.#next();
        this.#write?.({
          ...{ transaction, connection, mode: 'transaction', outcome, began, ended, statements },
          beganAt: new Date(beganAtMs).toISOString(),
          endedAt: new Date().toISOString(),
        });
      },
    };
  }

  #next(): number {
    this.#order += 1;
    return this.#order;
  }
}
