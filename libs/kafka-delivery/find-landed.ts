/**
 * Reads back which records of fenced producers readers see, whatever the markers say (KAFKA-20734: a broker stopped
 * under load may end a committed transaction in some of its partitions only). Read from the oldest transaction that was not
 * known to be written for good, a time that stands beside each marker, to the end of the producer's last transaction.
 */
import { type Landed, laneOf } from '#outbox';
import type { RelayError } from '#runtime';
import type { LeftoverContext } from './end-leftovers.ts';
import { CODE, faultOfCode, faultOfThrown, isUnanswerable } from './fault-table.ts';
import { askProducers, findOffsets, findPartitions, isAway, type PartitionPlace, placeName } from './find-producers.ts';
import { type DoubtedSenders, doubtsOf } from './landed-doubts.ts';
import { type MarkerNote, oldestDoubtMs } from './marker-note.ts';
import { readingAt } from './wire/batches.ts';
import { LATEST } from './wire/cluster-requests.ts';
import { fetchRecords } from './wire/fetch-request.ts';
import { type TracedRecord, traceTransactions } from './wire/read-record-batches.ts';

/** `topics`: those that the producers may have written to. */
export type LandedContext = Pick<LeftoverContext, 'brokers' | 'settings' | 'topics'>;

export interface LandedQuestion extends DoubtedSenders {
  /** Partitions (`placeName`) in which something may still be open of the producers. */
  readonly unseen: ReadonlySet<string>;
}

/** A clock that was set back a little, and brokers that stamp records by their own. */
const MARGIN_MS = 2_000;
const BYTES_MAX = 256 * 1024 * 1024;
const DEADLINE_MS = 20_000;
/** How long the end of a transaction is waited for. */
const OPEN_MS = 5_000;
/** For ends of transactions that are answered for and not yet written. */
const PAUSE_MS = 20;
const LIMITS = { waitMs: 100, bytesMax: 8 * 1024 * 1024, partitionBytesMax: 1024 * 1024 };

type Note = (id: number, isCommitted: boolean, eventId: string | undefined, at: string) => void;

interface Cursor extends PartitionPlace {
  position: number;
  readonly end: number;
  /** Of the last thing that a wanted producer did here, by the clock of the records. */
  readonly lastMs: number;
  readonly open: Map<number, TracedRecord[]>;
}

/**
 * Null where it cannot be told: no topic known, no right to read, no note beside a marker, too much to read, an old broker. What
 * only some partitions do not tell now is left to be asked later.
 */
export async function findLanded(context: LandedContext, question: LandedQuestion): Promise<Landed | null> {
  return orNull(context, () => new Search(context, question.lanes, sinceNotes(question.notes)).run(question));
}

/** What is asked of one partition that could not be asked before. */
export interface DoubtedQuestion {
  readonly place: PartitionPlace;
  readonly producerIds: ReadonlySet<number>;
  readonly lane: number;
  readonly sinceMs: number;
}

/** Rejects while the partition does not answer. */
export async function findDoubted(
  context: LandedContext,
  { place, producerIds, lane, sinceMs }: DoubtedQuestion,
): Promise<Landed | null> {
  const search = new Search(context, new Set([lane]), () => sinceMs);
  return orNull(context, () =>
    search.lookAt(new Map([[place, Number.NaN]]), sinceMs - MARGIN_MS, producerIds, throwIt),
  );
}

async function orNull(context: LandedContext, look: () => Promise<Landed | null>): Promise<Landed | null> {
  try {
    return await look();
  } catch (error) {
    const fault = faultOfThrown(error, { step: 'read' });
    if (fault.code === 'KAFKA_UNREADABLE') {
      context.settings.logger.warn({ err: fault }, 'what arrived of the last transactions cannot be read back');
      return null;
    }
    if (!isUnanswerable(fault)) throw error;
    context.settings.logger.debug({ err: error }, 'what arrived of the last transactions cannot be read back');
    return null;
  }
}

const sinceNotes = (notes: ReadonlyMap<number, MarkerNote>) => (lane: number) => notes.get(lane)?.sinceMs ?? 0;

type OnAway = (place: PartitionPlace, fault: RelayError) => void;

const throwIt: OnAway = (_, fault) => {
  throw fault;
};

class Search {
  readonly #context: LandedContext;
  readonly #lanes: ReadonlySet<number>;
  readonly #sinceOf: (lane: number) => number;
  readonly #endsAtMs: number;
  #bytes = 0;

  constructor(context: LandedContext, lanes: ReadonlySet<number>, sinceOf: (lane: number) => number) {
    this.#context = context;
    this.#lanes = lanes;
    this.#sinceOf = sinceOf;
    this.#endsAtMs = context.settings.clock.nowMs() + DEADLINE_MS;
  }

  async run(question: LandedQuestion): Promise<Landed | null> {
    if (this.#context.topics.size === 0) return null;
    const { places, producerIds, away, counts } = await this.#findPlaces(question);
    const nothing: Landed = { committed: new Set(), aborted: new Set(), unknown: [] };
    if (places.size + away.size === 0) return nothing;
    const doubtMs = oldestDoubtMs(question.notes, question.lanes, producerIds);
    if (doubtMs === null && places.size > 0) return null;
    const onAway: OnAway = (place) => away.set(placeName(place), place);
    const found = await this.lookAt(places, (doubtMs ?? 0) - MARGIN_MS, producerIds, onAway);
    if (found === null) return null;
    return { ...found, unknown: doubtsOf([...away.values()], question, counts) };
  }

  /** Null: too much to read. What partitions told to `onAway` would say is missing. */
  async lookAt(
    places: ReadonlyMap<PartitionPlace, number>,
    sinceMs: number,
    producerIds: ReadonlySet<number>,
    onAway: OnAway,
  ): Promise<Landed | null> {
    const committed = new Set<number>();
    const aborted = new Map<number, { readonly eventId: string | undefined; readonly at: string }>();
    const note: Note = (id, isCommitted, eventId, at) => {
      if (isCommitted) committed.add(id);
      else aborted.set(id, { eventId, at });
    };
    if (!(await this.#read(places, sinceMs, producerIds, note, onAway))) return null;
    for (const id of committed) aborted.delete(id);
    if (aborted.size === 0) return { committed, aborted: new Set(), unknown: [] };
    // Somebody else of ours may have delivered since what was aborted here.
    const strike: Note = (id, isCommitted, eventId) => {
      if (isCommitted && aborted.get(id)?.eventId === eventId) aborted.delete(id);
    };
    const onGone: OnAway = (place, fault) => {
      onAway(place, fault);
      for (const [id, { at }] of aborted) if (at === placeName(place)) aborted.delete(id);
    };
    if (!(await this.#read(places, sinceMs, null, strike, onGone))) return null;
    return { committed, aborted: new Set(aborted.keys()), unknown: [] };
  }

  /** Where the producers wrote, with the time of the last thing done there, and those of them that wrote at all. */
  async #findPlaces({ producers: wanted, unseen }: LandedQuestion) {
    const { brokers, topics } = this.#context;
    const all = await findPartitions(brokers, topics);
    const counts = new Map<string, number>();
    for (const { topic } of all) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    const { found, unasked } = await askProducers(brokers, all);
    const away = new Map(
      [...unasked, ...all.filter((each) => unseen.has(placeName(each)))].map((each) => [placeName(each), each]),
    );
    const byName = new Map(all.map((place) => [placeName(place), place]));
    const places = new Map<PartitionPlace, number>();
    const producerIds = new Set<number>();
    for (const { topic, partition, producers } of found) {
      const theirs = producers.filter((each) => wanted.has(each.producerId));
      const place = byName.get(placeName({ topic, partition }));
      if (place === undefined || away.has(placeName(place))) continue;
      for (const { producerId, lastTimestampMs } of theirs) {
        producerIds.add(producerId);
        // Of several the clocks may differ: then everything is read.
        places.set(place, theirs.length > 1 ? Number.NaN : lastTimestampMs);
      }
    }
    return { places, producerIds, away, counts };
  }

  /** False: too much to read. `wanted` null: of every producer, to the end of the partitions. */
  async #read(
    places: ReadonlyMap<PartitionPlace, number>,
    sinceMs: number,
    wanted: ReadonlySet<number> | null,
    note: Note,
    onAway: OnAway,
  ): Promise<boolean> {
    const { settings } = this.#context;
    const starts = await this.#offsets([...places.keys()], Math.max(0, sinceMs), onAway);
    const ends = await this.#offsets([...starts.keys()], LATEST, onAway);
    const cursors = [...ends.keys()]
      .map((place) => ({
        ...place,
        position: starts.get(place) ?? -1,
        end: ends.get(place) ?? 0,
        lastMs: wanted === null ? Number.NaN : (places.get(place) ?? 0),
        open: new Map(),
      }))
      .filter(({ position }) => position >= 0);
    for (let left: Cursor[] = cursors; left.length > 0; ) {
      if (this.#bytes > BYTES_MAX || settings.clock.nowMs() > this.#endsAtMs) return false;
      const before = this.#bytes;
      const done = await this.#fetch(left, wanted, note, onAway);
      left = left.filter(
        (cursor) => !done.has(cursor) && this.#isOpen(cursor, wanted) && !this.#isHeldUp(cursor, onAway),
      );
      if (this.#bytes === before && left.length > 0) await settings.clock.sleep(PAUSE_MS);
    }
    return true;
  }

  /** What a wanted producer sent has an end, which may lie behind the partition's end as it was at the start. */
  #isOpen({ position, end, open }: Cursor, wanted: ReadonlySet<number> | null): boolean {
    return position < end || (wanted !== null && open.size > 0);
  }

  /** A transaction whose end does not come holds nothing up but its own partition: that one is asked again later. */
  #isHeldUp(cursor: Cursor, onAway: OnAway): boolean {
    const { position, end, open, topic, partition } = cursor;
    const isLate = this.#endsAtMs - this.#context.settings.clock.nowMs() < DEADLINE_MS - OPEN_MS;
    if (position < end || open.size === 0 || !isLate) return false;
    onAway(cursor, faultOfCode(CODE.unstableOffsets, { step: 'read', topic, partition }));
    return true;
  }

  /** One fetch from each leader. Answers with the cursors at which everything wanted was read. */
  async #fetch(
    cursors: readonly Cursor[],
    wanted: ReadonlySet<number> | null,
    note: Note,
    onAway: OnAway,
  ): Promise<Set<Cursor>> {
    const done = new Set<Cursor>();
    for (const led of Map.groupBy(cursors, (cursor) => cursor.leader).values()) {
      try {
        await this.#fetchFrom(led, wanted, note, done);
      } catch (error) {
        const fault = faultOfThrown(error, { step: 'read' });
        if (!isAway(fault)) throw fault;
        for (const cursor of led) {
          onAway(cursor, fault);
          done.add(cursor);
        }
      }
    }
    return done;
  }

  /** From one leader. */
  async #fetchFrom(
    led: readonly Cursor[],
    wanted: ReadonlySet<number> | null,
    note: Note,
    done: Set<Cursor>,
  ): Promise<void> {
    const [first] = led;
    const link = await this.#context.brokers.node(first?.leader ?? -1);
    const positions = led.map(({ topic, partition, position: offset }) => ({ topic, partition, offset }));
    const { code, partitions } = await link.ask(fetchRecords(positions, LIMITS, 'uncommitted'));
    if (code !== CODE.none) throw faultOfCode(code, { step: 'read' });
    for (const { topic, partition, code: partitionCode, set } of partitions) {
      if (partitionCode !== CODE.none) throw faultOfCode(partitionCode, { step: 'read', topic, partition });
      const cursor = led.find((each) => each.topic === topic && each.partition === partition);
      if (cursor === undefined) continue;
      this.#bytes += set.length;
      const onEnd = (records: readonly TracedRecord[], committed: boolean, timestampMs: number) => {
        for (const record of records) this.#judge(record, committed, note, placeName(cursor));
        if (timestampMs === cursor.lastMs && cursor.open.size === 0) done.add(cursor);
      };
      const { position, open } = cursor;
      const trace = () => traceTransactions(set, position, wanted, { open, onEnd });
      cursor.position = readingAt(topic, partition, trace);
    }
  }

  /** Of partitions whose leaders answer. */
  async #offsets(
    places: readonly PartitionPlace[],
    when: number,
    onAway: OnAway,
  ): Promise<Map<PartitionPlace, number>> {
    const found = new Map<PartitionPlace, number>();
    for (const led of Map.groupBy(places, ({ leader }) => leader).values()) {
      try {
        const offsets = await findOffsets(this.#context.brokers, led, when, 'written');
        for (const place of led) found.set(place, offsets.get(placeName(place)) ?? -1);
      } catch (error) {
        const fault = faultOfThrown(error, { step: 'read' });
        if (!isAway(fault)) throw fault;
        for (const place of led) onAway(place, fault);
      }
    }
    return found;
  }

  /** Of a lane that was asked for, and not older than what its marker has behind it. */
  #judge({ headers, timestampMs }: TracedRecord, committed: boolean, note: Note, at: string): void {
    const id = Number(headers['outbox-id'] ?? Number.NaN);
    if (!Number.isSafeInteger(id)) return;
    const lane = laneOf(id);
    if (this.#lanes.has(lane) && timestampMs >= this.#sinceOf(lane) - MARGIN_MS) note(id, committed, headers.id, at);
  }
}
