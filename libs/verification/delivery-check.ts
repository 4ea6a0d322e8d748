/**
 * The comparison of one source with its topics. Feed it in this order, which is also the order of reading that makes it right
 * while the relay runs: the watermark (options), then what is on its way, then the records, then the source's rows.
 */
import { eventIdAt, type Incarnation, incarnationAt, parseEventId, sequenceOf } from '#outbox';
import { LastIds } from './last-ids.ts';
import { PositionRanges, type Range } from './position-ranges.ts';
import { PositionSet } from './position-set.ts';

export const EXAMPLES_MAX = 10;
const KEY_SHOWN_MAX = 60;

export interface DeliveryCheckOptions {
  readonly source: string;
  /** Rows at or below it (and outside `gaps`) have been moved; null compares every row. */
  readonly upTo: bigint | null;
  /** Rows at or below it were never to be moved: where the source started. Null: from the first row. */
  readonly after?: bigint | null;
  /** But for these ranges at or below `after`: their transactions may have been open when the source started. */
  readonly startGaps?: readonly Range[];
  /** The rows before the first one delivered or on its way were never to be moved: for a source that began at the latest row. */
  readonly startsAtFirstSeen?: boolean;
  /** Open gaps, inclusive, ascending and disjoint: a row in one of them is pending. */
  readonly gaps?: readonly Range[];
  /** Where ids began anew: the row of a position is of the last one that begins below it. */
  readonly incarnations?: readonly Incarnation[];
  /** False when rows leave the table as they are moved: then only duplicates and order can be checked. */
  readonly rowsStay?: boolean;
}

/** A record of a topic, in offset order within its partition. */
export interface CheckedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** `outbox`: not delivered yet. `aside`: waiting for a retry or behind its key. `dead`: in the dead letters. */
export type OnItsWay = 'outbox' | 'aside' | 'dead';

export interface RowOnItsWay {
  readonly eventId: string;
  readonly outboxId: number;
  readonly key: Buffer | null;
  readonly where: OnItsWay;
}

export interface Example {
  /** Event id, as in the header `id`. */
  readonly id: string;
  readonly key: string | null;
  /** `topic partition:offset`, or null for a row that is nowhere. */
  readonly at: string | null;
  readonly note: string | null;
}

export interface Finding {
  readonly count: number;
  readonly examples: readonly Example[];
}

export interface SourceCheck {
  readonly source: string;
  /** Rows that should be in Kafka: delivered, missing and dead. */
  readonly expected: number;
  readonly delivered: number;
  readonly missing: Finding;
  readonly duplicated: Finding;
  readonly outOfOrder: Finding;
  /** Given up by policy, so not delivered. */
  readonly dead: Finding;
  /** Not moved yet, in the outbox, or set aside for a retry. */
  readonly pending: number;
  /** Records whose row is not in the source any more. */
  readonly withoutRow: number;
  /** Records of this source read, duplicates included. */
  readonly records: number;
  readonly keys: number;
}

class Findings {
  count = 0;
  readonly examples: Example[] = [];

  add(example: () => Example): void {
    this.count += 1;
    if (this.examples.length < EXAMPLES_MAX) this.examples.push(example());
  }

  done(): Finding {
    return { count: this.count, examples: this.examples };
  }
}

const showKey = (key: Buffer | null): string | null => {
  if (key === null) return null;
  const text = key.toString('utf8');
  return text.length > KEY_SHOWN_MAX ? `${text.slice(0, KEY_SHOWN_MAX)}...` : text;
};

const placeOf = ({ topic, partition, offset }: CheckedRecord): string => `${topic} ${partition}:${offset}`;

export class DeliveryCheck {
  readonly #options: DeliveryCheckOptions;
  readonly #rowsStay: boolean;
  readonly #gaps: PositionRanges;
  readonly #startGaps: PositionRanges;
  readonly #onItsWay: Record<OnItsWay, PositionSet> = {
    outbox: new PositionSet(),
    aside: new PositionSet(),
    dead: new PositionSet(),
  };
  /** By incarnation: positions of records, or outbox ids where the rows do not stay. */
  readonly #seen = new Map<number, PositionSet>();
  readonly #incarnations: readonly Incarnation[];
  readonly #lastSequences = new LastIds();
  readonly #partitions = new Map<string, number>();
  readonly #missing = new Findings();
  readonly #duplicated = new Findings();
  readonly #outOfOrder = new Findings();
  readonly #dead = new Findings();
  #records = 0;
  #seenInScope = 0;
  #delivered = 0;
  #pending = 0;
  #firstSeen: bigint | null = null;

  constructor(options: DeliveryCheckOptions) {
    this.#options = options;
    this.#incarnations = options.incarnations ?? [];
    this.#rowsStay = options.rowsStay ?? true;
    this.#gaps = new PositionRanges(options.gaps ?? []);
    this.#startGaps = new PositionRanges(options.startGaps ?? []);
  }

  /** A row found in the outbox or aside before the records were read. */
  noteOnItsWay(row: RowOnItsWay): void {
    const { eventId, outboxId, where } = row;
    if (this.#rowsStay) {
      const found = parseEventId(this.#options.source, eventId);
      // A row of an earlier incarnation is on its way under an id that another row has by now.
      if (found === null || this.#isPast(found)) return;
      this.#onItsWay[where].addText(found.digits);
      this.#noteFirst(BigInt(found.digits));
    } else if (where === 'dead') {
      this.#dead.add(() => ({ id: eventId, key: showKey(row.key), at: null, note: null }));
    } else if (this.#onItsWay[where].addText(String(outboxId))) {
      this.#pending += 1;
    }
  }

  /** False when the record is not of this source. Records of a partition come in offset order. */
  record(record: CheckedRecord): boolean {
    const { headers } = record;
    if (headers.source !== this.#options.source) return false;
    const outboxId = Number(headers['outbox-id']);
    if (!Number.isSafeInteger(outboxId) || outboxId <= 0) return false;
    const found = this.#rowsStay
      ? parseEventId(this.#options.source, headers.id ?? '')
      : { incarnation: 1, digits: String(outboxId) };
    if (found === null) return false;
    const { digits } = found;
    this.#records += 1;
    if (!this.#seenIn(found.incarnation).addText(digits)) {
      this.#duplicated.add(() => this.#exampleOf(record, `outbox id ${outboxId}`));
      // A second copy says nothing new about the order.
      return true;
    }
    if (this.#rowsStay) {
      this.#noteFirst(BigInt(digits));
      if (this.#isPast(found) || this.#inScope(BigInt(digits))) this.#seenInScope += 1;
    } else if (this.#isWaiting(BigInt(digits))) {
      // Delivered already, only not deleted from the outbox yet.
      this.#pending -= 1;
    }
    if (record.key !== null) this.#checkOrder(record, record.key, outboxId);
    return true;
  }

  /** The source's rows, ascending, after all records. */
  sourceRow(position: bigint, key: Buffer | null): void {
    const { upTo } = this.#options;
    if (this.#beforeStart(position) || this.#beforeFirst(position)) return;
    const incarnation = incarnationAt(this.#incarnations, position);
    const seen = this.#seenIn(incarnation).has(position);
    if ((upTo !== null && position > upTo) || this.#gaps.has(position)) {
      if (!seen) this.#pending += 1;
      return;
    }
    if (seen) this.#delivered += 1;
    else if (this.#isWaiting(position)) this.#pending += 1;
    else {
      const findings = this.#onItsWay.dead.has(position) ? this.#dead : this.#missing;
      const id = eventIdAt(this.#options.source, incarnation, position);
      findings.add(() => ({ id, key: showKey(key), at: null, note: null }));
    }
  }

  result(): SourceCheck {
    const delivered = this.#rowsStay ? this.#delivered : this.#seenIn(1).size;
    return {
      source: this.#options.source,
      expected: delivered + this.#missing.count + this.#dead.count,
      delivered,
      missing: this.#missing.done(),
      duplicated: this.#duplicated.done(),
      outOfOrder: this.#outOfOrder.done(),
      dead: this.#dead.done(),
      pending: this.#pending,
      withoutRow: this.#rowsStay ? Math.max(0, this.#seenInScope - this.#delivered) : 0,
      records: this.#records,
      keys: this.#lastSequences.size,
    };
  }

  #noteFirst(position: bigint): void {
    if (this.#firstSeen === null || position < this.#firstSeen) this.#firstSeen = position;
  }

  #beforeFirst(position: bigint): boolean {
    if (!this.#options.startsAtFirstSeen) return false;
    return this.#firstSeen === null
      ? this.#options.upTo !== null && position <= this.#options.upTo
      : position < this.#firstSeen;
  }

  #isWaiting(position: bigint): boolean {
    return this.#onItsWay.outbox.has(position) || this.#onItsWay.aside.has(position);
  }

  #checkOrder(record: CheckedRecord, key: Buffer, outboxId: number): void {
    // The lane is left out: a key may have moved to another one when lanes were added, and sequences go on over all of them.
    const sequence = sequenceOf(outboxId);
    const last = this.#lastSequences.raise(this.#partitionNumber(record), key, sequence);
    if (last > sequence) {
      this.#outOfOrder.add(() => this.#exampleOf(record, `outbox id ${outboxId}, sequence ${sequence} after ${last}`));
    }
  }

  #exampleOf(record: CheckedRecord, note: string): Example {
    return { id: record.headers.id ?? '', key: showKey(record.key), at: placeOf(record), note };
  }

  /** A small number for each partition of each topic. */
  #partitionNumber({ topic, partition }: CheckedRecord): number {
    const name = `${topic}/${partition}`;
    let number = this.#partitions.get(name);
    if (number === undefined) {
      number = this.#partitions.size + 1;
      this.#partitions.set(name, number);
    }
    return number;
  }

  #seenIn(incarnation: number): PositionSet {
    const found = this.#seen.get(incarnation) ?? new PositionSet();
    this.#seen.set(incarnation, found);
    return found;
  }

  /** The row is gone from the table: ids began anew below it. */
  #isPast({ incarnation, digits }: { readonly incarnation: number; readonly digits: string }): boolean {
    return this.#incarnations.length > 0 && incarnationAt(this.#incarnations, BigInt(digits)) !== incarnation;
  }

  #inScope(position: bigint): boolean {
    const { upTo } = this.#options;
    if (this.#beforeStart(position)) return false;
    return (upTo === null || position <= upTo) && !this.#gaps.has(position);
  }

  #beforeStart(position: bigint): boolean {
    const { after = null } = this.#options;
    return after !== null && position <= after && !this.#startGaps.has(position);
  }
}
