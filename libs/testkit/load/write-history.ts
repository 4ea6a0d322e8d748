/** The history of a load as JSON lines: docs/history.md explains every field. */
import { closeSync, openSync, writeSync } from 'node:fs';

export interface HistoryStatement {
  readonly kind: string;
  /** `undone`: by a ROLLBACK TO a savepoint. */
  readonly outcome: 'done' | 'failed' | 'undone';
  readonly errno: number | null;
  readonly began: number;
  /** Null: no answer came. */
  readonly ended: number | null;
  readonly tookMs: number;
  readonly keys: readonly string[];
  readonly tokens: readonly string[];
  readonly firstId: string | null;
  readonly explicitId: string | null;
  readonly affectedRows: number;
}

export interface HistoryTransaction {
  readonly transaction: number;
  readonly connection: string;
  readonly mode: string;
  readonly outcome: 'committed' | 'rolled-back' | 'unknown';
  readonly began: number;
  readonly ended: number;
  readonly beganAt: string;
  readonly endedAt: string;
  readonly statements: readonly HistoryStatement[];
}

export interface HistoryRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly eventId: string;
  readonly outboxId: string;
  readonly token: string;
  /** As the row's own: above 1 the token is that of an update. */
  readonly version: number;
}

export interface HistoryRow {
  readonly id: string;
  readonly key: string;
  readonly token: string;
  /** 1: as it was inserted; more: it was updated since. */
  readonly version: number;
  /** False: an explicit id that may have been below others when it was inserted. */
  readonly promised: boolean;
}

const BUFFER_CHARACTERS = 1 << 20;

/** Written in large pieces; what was not flushed is lost with the process. */
export class HistoryWriter {
  readonly #file: number;
  #buffer: string[] = [];
  #characters = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  /** Every line behind it, up to the next one, is of this run. */
  run(facts: Readonly<Record<string, unknown>>): void {
    this.#line({ type: 'run', format: 1, ...facts });
  }

  transaction(transaction: HistoryTransaction): void {
    this.#line({ type: 'transaction', ...transaction });
  }

  /** The outcome of a transaction that ended as unknown, found out by the table's rows in the end. */
  decision(transaction: number): void {
    this.#line({ type: 'decision', transaction, outcome: 'committed' });
  }

  row(row: HistoryRow): void {
    this.#line({ type: 'row', ...row });
  }

  record(record: HistoryRecord): void {
    this.#line({ type: 'record', ...record });
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #line(value: object): void {
    const text = `${JSON.stringify(value)}\n`;
    this.#buffer.push(text);
    this.#characters += text.length;
    if (this.#characters > BUFFER_CHARACTERS) this.#flush();
  }

  #flush(): void {
    writeSync(this.#file, this.#buffer.join(''));
    this.#buffer = [];
    this.#characters = 0;
  }
}
