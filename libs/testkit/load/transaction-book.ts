/**
 * What every transaction of a load did and how it ended: by tokens, one for each row version that a statement gave the database.
 * Order numbers count beginnings and ends in the one process that runs the load: an end with a lower number than a beginning was
 * known before that beginning.
 */
import type { HistoryTransaction } from './write-history.ts';

export type Outcome = 'committed' | 'rolled-back' | 'unknown';

/** Of a token. `undecided`: its statement's answer was lost, and nothing tells. */
export const TOKEN = { open: 0, committed: 1, rolledBack: 2, undecided: 3 } as const;

export interface StatementEntry {
  readonly kind: string;
  readonly first: number;
  /** Of its rows. */
  keys: readonly string[];
  readonly tokens: number;
  readonly began: number;
  readonly beganAtMs: number;
  ended: number | null;
  tookMs: number;
  outcome: 'done' | 'failed' | 'undone';
  errno: number | null;
  /** First id as the server told it; 0 when it told none. */
  firstId: number;
  affectedRows: number;
  explicitId: number | null;
}

export interface TransactionEntry {
  readonly number: number;
  readonly connection: string;
  readonly mode: string;
  readonly began: number;
  readonly beganAtMs: number;
  readonly statements: StatementEntry[];
  outcome: Outcome | null;
}

const FIRST_ROOM = 65_536;

/** Columns by token that grow. */
class TokenColumns {
  states = new Uint8Array(FIRST_ROOM);
  transactions = new Uint32Array(FIRST_ROOM);
  began = new Float64Array(FIRST_ROOM);
  kinds = new Uint8Array(FIRST_ROOM);

  ensure(count: number): void {
    if (count <= this.states.length) return;
    const room = Math.max(count, this.states.length * 2);
    const grow = <T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.states = grow(this.states, new Uint8Array(room));
    this.transactions = grow(this.transactions, new Uint32Array(room));
    this.began = grow(this.began, new Float64Array(room));
    this.kinds = grow(this.kinds, new Uint8Array(room));
  }
}

export class TransactionBook {
  readonly #columns = new TokenColumns();
  readonly #write: ((transaction: HistoryTransaction) => void) | null;
  /** By transaction: the order number of its known commit. */
  readonly #ended: number[] = [0];
  readonly #kinds: string[] = ['none'];
  /** Tokens whose explicit id may have been below ids that were given before. */
  readonly #low = new Set<number>();
  #order = 0;
  #tokens = 0;
  #committedTokens = 0;
  /** Above every id that a statement is known to have got. */
  #highestId = 0;

  /** `write` gets each transaction once, when its outcome is known. */
  constructor(write: ((transaction: HistoryTransaction) => void) | null = null) {
    this.#write = write;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Row versions committed: more than rows, since some were replaced or ignored. */
  get committedTokens(): number {
    return this.#committedTokens;
  }

  get highestId(): number {
    return this.#highestId;
  }

  begin(connection: string, mode: string): TransactionEntry {
    this.#ended.push(Number.POSITIVE_INFINITY);
    const number = this.#ended.length - 1;
    return {
      ...{ number, connection, mode, began: this.#next(), beganAtMs: Date.now() },
      ...{ statements: [], outcome: null },
    };
  }

  /** The first of `count` tokens of a statement that is about to be sent. */
  statement(transaction: TransactionEntry, kind: string, count: number): StatementEntry {
    const first = this.#tokens + 1;
    this.#tokens += count;
    this.#columns.ensure(this.#tokens + 1);
    const began = this.#next();
    this.#columns.transactions.fill(transaction.number, first, first + count);
    this.#columns.began.fill(began, first, first + count);
    this.#columns.kinds.fill(this.#kindNumber(kind), first, first + count);
    const entry: StatementEntry = {
      ...{ kind, first, keys: [], tokens: count, began, beganAtMs: Date.now(), ended: null, tookMs: 0 },
      ...{ outcome: 'done', errno: null, firstId: 0, affectedRows: 0, explicitId: null },
    };
    transaction.statements.push(entry);
    return entry;
  }

  answered(entry: StatementEntry): void {
    entry.ended = this.#next();
    entry.tookMs = Date.now() - entry.beganAtMs;
  }

  /** Ids of a statement are known. */
  sawIds(last: number): void {
    this.#highestId = Math.max(this.#highestId, last);
  }

  /** The row may have got an id that the relay had passed: it is not promised. */
  low(token: number): void {
    this.#low.add(token);
  }

  isLow(token: number): boolean {
    return this.#low.has(token);
  }

  end(transaction: TransactionEntry, outcome: Outcome): void {
    transaction.outcome = outcome;
    const ended = this.#next();
    if (outcome === 'committed') this.#ended[transaction.number] = ended;
    for (const { first, tokens, outcome: own } of transaction.statements) {
      const stays = own === 'done';
      const state = !stays
        ? TOKEN.rolledBack
        : outcome === 'committed'
          ? TOKEN.committed
          : outcome === 'unknown'
            ? TOKEN.undecided
            : TOKEN.rolledBack;
      this.#columns.states.fill(state, first, first + tokens);
      if (state === TOKEN.committed) this.#committedTokens += tokens;
    }
    this.#write?.(describe(transaction, outcome, ended));
  }

  /** The table holds it in the end: a statement whose answer was lost had been committed. Its transaction, if it is that. */
  found(token: number): number | null {
    if (!this.knows(token) || this.stateOf(token) !== TOKEN.undecided) return null;
    this.#columns.states[token] = TOKEN.committed;
    return this.transactionOf(token);
  }

  knows(token: number): boolean {
    return Number.isInteger(token) && token >= 1 && token <= this.#tokens;
  }

  stateOf(token: number): number {
    return this.#columns.states[token] as number;
  }

  /** Of the statement that the token was made for. */
  kindOf(token: number): string {
    return this.#kinds[this.#columns.kinds[token] ?? 0] ?? 'unknown';
  }

  transactionOf(token: number): number {
    return this.#columns.transactions[token] as number;
  }

  /** Order number of the beginning of the token's statement. */
  beganOf(token: number): number {
    return this.#columns.began[token] as number;
  }

  /** Order number of the known commit of the token's transaction; infinite without one. */
  committedOf(token: number): number {
    return this.#ended[this.transactionOf(token)] as number;
  }

  #kindNumber(kind: string): number {
    const known = this.#kinds.indexOf(kind);
    return known >= 0 ? known : this.#kinds.push(kind) - 1;
  }

  #next(): number {
    this.#order += 1;
    return this.#order;
  }
}

function describe(transaction: TransactionEntry, outcome: Outcome, ended: number): HistoryTransaction {
  const { number, connection, mode, began, beganAtMs, statements } = transaction;
  return {
    transaction: number,
    ...{ connection, mode, outcome, began, ended },
    beganAt: new Date(beganAtMs).toISOString(),
    endedAt: new Date().toISOString(),
    statements: statements.map((statement) => ({
      kind: statement.kind,
      outcome: statement.outcome,
      errno: statement.errno,
      began: statement.began,
      ended: statement.ended,
      tookMs: Math.round(statement.tookMs),
      keys: statement.keys,
      tokens: Array.from({ length: statement.tokens }, (_, index) => String(statement.first + index)),
      firstId: statement.firstId === 0 ? null : String(statement.firstId),
      explicitId: statement.explicitId === null ? null : String(statement.explicitId),
      affectedRows: statement.affectedRows,
    })),
  };
}
