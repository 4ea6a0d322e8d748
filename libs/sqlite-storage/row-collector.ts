/** Takes rows until a limit cuts; fed one row past the cut, it knows whether the batch is full. */
import type { BatchLimits, SourceBatch, SourceRow } from '#outbox';

const sizeOf = ({ key, value }: SourceRow): number => (value?.length ?? 0) + (key?.length ?? 0);

export class RowCollector {
  readonly #limits: BatchLimits;
  readonly #rows: SourceRow[] = [];
  #bytes = 0;
  #full = false;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** False when the row did not fit. The first one always does. */
  add(row: SourceRow): boolean {
    const size = sizeOf(row);
    const { rowsMax, bytesMax } = this.#limits;
    if (this.#rows.length > 0 && (this.#rows.length >= rowsMax || this.#bytes + size > bytesMax)) {
      this.#full = true;
      return false;
    }
    this.#bytes += size;
    this.#rows.push(row);
    return true;
  }

  batch(): SourceBatch {
    return { rows: this.#rows, full: this.#full };
  }
}
