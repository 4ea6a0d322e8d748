/**
 * What a producer had acknowledged and nobody has seen written for good yet. A commit is answered before its ends are in the
 * partitions, and Kafka 4.1 to 4.3.1 may never write some of them (KAFKA-20734): a marker may be there while records are not.
 */
import type { Brokers } from './brokers.ts';
import { faultOfThrown, isUnanswerable } from './fault-table.ts';
import { findOffsets, findPartitions, findProducers, type PartitionPlace, placeName } from './find-producers.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

/** The partition's offset behind the last record sent to it. */
export interface SentEnd {
  readonly topic: string;
  readonly partition: number;
  readonly end: number;
  /** The topic it was looked for in first. In one that was made anew since, nothing of it is to be found. */
  topicId?: string;
}

/** Transactions that are looked at together. */
interface Lot {
  /** When the first record was written, by the clock that is in the records. */
  readonly sinceMs: number;
  readonly ends: Map<string, SentEnd>;
  readonly markers: Map<string, number>;
}

/** Answers which of the ends are not decided yet, by what the partitions' leaders say of them. */
export type Undecided = (ends: readonly SentEnd[]) => Promise<boolean>;

/** Answers whether nobody has opened a producer of the same transactional id since. */
export type Standing = () => Promise<boolean>;

export class Acknowledged {
  readonly identity: ProducerIdentity;
  /** Not asked about yet, and asked about without success. */
  #fresh: Lot | null = null;
  #waiting: Lot | null = null;
  /** Markers up to which everything is written for good, of those ever given here. */
  readonly #settled = new Map<string, number>();

  constructor(identity: ProducerIdentity) {
    this.identity = identity;
  }

  /** The start of the oldest transaction that is not known to be written for good; of one begun now, where there is none. */
  sinceMs(nowMs: number): number {
    return Math.min(this.#waiting?.sinceMs ?? nowMs, this.#fresh?.sinceMs ?? nowMs);
  }

  /** `markers` by name. */
  add(sinceMs: number, ends: ReadonlyMap<string, SentEnd>, markers: ReadonlyMap<string, number>): void {
    this.#fresh ??= { sinceMs, ends: new Map(), markers: new Map() };
    for (const [place, end] of ends) this.#fresh.ends.set(place, end);
    for (const [name, value] of markers) this.#fresh.markers.set(name, value);
  }

  /**
   * Asks about what was acknowledged until now; it is asked about again at the next call where it is not decided. Whoever
   * fences us aborts what a broker has left open, and that looks decided too: so the order is the look first, and then the
   * proof that nobody had done so by then. Once fenced, nothing of this producer's is called settled any more.
   */
  async look(isUndecided: Undecided, isStanding: Standing): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      if (this.#waiting === null) {
        this.#waiting = this.#fresh;
        this.#fresh = null;
      }
      const lot = this.#waiting;
      if (lot === null || (await isUndecided([...lot.ends.values()])) || !(await isStanding())) return;
      for (const [name, value] of lot.markers) this.#settled.set(name, value);
      if (this.#waiting === lot) this.#waiting = null;
    }
  }

  /**
   * The most that may be called written for good of a marker. One that was written again with the same value is not, either,
   * until the latest of its transactions is decided: a pending offset hides the one before it.
   */
  cap(name: string, value: number): number {
    const open = [this.#waiting?.markers.get(name), this.#fresh?.markers.get(name)].filter(
      (each) => each !== undefined,
    );
    return open.length === 0 ? value : Math.min(value, this.#settled.get(name) ?? -1, Math.min(...open) - 1);
  }
}

/** Ends in topics that were deleted and made anew since they were looked at first. */
async function findGone(brokers: Brokers, ends: readonly SentEnd[]): Promise<ReadonlySet<string>> {
  const ids = await brokers.topicIds([...new Set(ends.map(({ topic }) => topic))]);
  const gone = new Set<string>();
  for (const end of ends) {
    const id = ids.get(end.topic);
    if (id === undefined) continue;
    if (end.topicId === undefined) end.topicId = id;
    else if (end.topicId !== id) gone.add(placeName(end));
  }
  return gone;
}

/**
 * True while the producer has a transaction open in front of one of the ends. Others' open transactions hold back the stable
 * end too: then the partition's own list of producers tells. Where that may not be seen, or is not to be had, the marker is all
 * there is to go by, as in a Kafka without the fault.
 */
export async function isUndecided(brokers: Brokers, producerId: number, ends: readonly SentEnd[]): Promise<boolean> {
  if (ends.length === 0) return false;
  const wanted = new Map(ends.map((each) => [placeName(each), each.end]));
  const places = await findPartitions(brokers, new Set(ends.map(({ topic }) => topic)));
  const ours = places.filter((place) => wanted.has(placeName(place)));
  if (ours.some(({ leader }) => leader < 0)) return true;
  const stable = await findOffsets(brokers, ours);
  const isBehind = (place: PartitionPlace) => (stable.get(placeName(place)) ?? 0) < (wanted.get(placeName(place)) ?? 0);
  const late = ours.filter(isBehind);
  if (late.length === 0) return false;
  const names = new Set(late.map(placeName));
  const gone = await findGone(brokers, ends.filter((each) => names.has(placeName(each)))); // biome-ignore format: one line
  const behind = late.filter((place) => !gone.has(placeName(place)));
  try {
    return (await findProducers(brokers, behind)).some(({ topic, partition, producers }) =>
      producers.some(
        (each) =>
          each.producerId === producerId &&
          each.openFrom >= 0 &&
          each.openFrom < (wanted.get(placeName({ topic, partition })) ?? 0),
      ),
    );
  } catch (error) {
    if (isUnanswerable(faultOfThrown(error, { step: 'read' }))) return false;
    throw error;
  }
}
