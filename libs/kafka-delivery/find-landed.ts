/**
 * Reads back which records of fenced producers readers see, whatever the markers say (KAFKA-20734: a broker stopped
 * under load may end a committed transaction in some of its partitions only). Read from the oldest transaction that was not
 * known to be written for good, a time that stands beside each marker, to the end of the producer's last transaction.
 */
import { type Landed, laneOf } from '#outbox';
import { RelayError } from '#runtime';
import type { LeftoverContext } from './end-leftovers.ts';
import { CODE, faultOfCode, faultOfThrown, isUnanswerable } from './fault-table.ts';
import { findOffsets, findPartitions, findProducers, type PartitionPlace, placeName } from './find-producers.ts';
import { type MarkerNote, oldestDoubtMs } from './marker-note.ts';
import { readingAt } from './wire/batches.ts';
import { LATEST } from './wire/cluster-requests.ts';
import { fetchRecords } from './wire/fetch-request.ts';
import { type TracedRecord, traceTransactions } from './wire/read-record-batches.ts';

/** `topics`: those that the producers may have written to. */
export type LandedContext = Pick<LeftoverContext, 'brokers' | 'settings' | 'topics'>;

export interface LandedQuestion {
  readonly producerIds: ReadonlySet<number>;
  readonly lanes: ReadonlySet<number>;
  readonly notes: ReadonlyMap<number, MarkerNote>;
}

/** A clock that was set back a little, and brokers that stamp records by their own. */
const MARGIN_MS = 2_000;
const BYTES_MAX = 256 * 1024 * 1024;
const DEADLINE_MS = 20_000;
/** For ends of transactions that are answered for and not yet written. */
const PAUSE_MS = 20;
const LIMITS = { waitMs: 100, bytesMax: 8 * 1024 * 1024, partitionBytesMax: 1024 * 1024 };

type Note = (id: number, isCommitted: boolean, eventId: string | undefined) => void;

interface Cursor extends PartitionPlace {
  position: number;
  readonly end: number;
  /** Of the last thing that a wanted producer did here, by the clock of the records. */
  readonly lastMs: number;
  readonly open: Map<number, TracedRecord[]>;
}

/** Null where it cannot be told: no topic known, no right to read, no note beside a marker, too much to read, an old broker. */
export async function findLanded(context: LandedContext, question: LandedQuestion): Promise<Landed | null> {
  try {
    return await new Search(context, question).run();
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

class Search {
  readonly #context: LandedContext;
  readonly #question: LandedQuestion;
  readonly #endsAtMs: number;
  #bytes = 0;

  constructor(context: LandedContext, question: LandedQuestion) {
    this.#context = context;
    this.#question = question;
    this.#endsAtMs = context.settings.clock.nowMs() + DEADLINE_MS;
  }

  async run(): Promise<Landed | null> {
    if (this.#context.topics.size === 0) return null;
    const { places, producerIds } = await this.#findPlaces();
    const committed = new Set<number>();
    const aborted = new Map<number, string | undefined>();
    if (places.size === 0) return { committed, aborted: committed };
    const { notes, lanes } = this.#question;
    const doubtMs = oldestDoubtMs(notes, lanes, producerIds);
    if (doubtMs === null) return null;
    const sinceMs = doubtMs - MARGIN_MS;
    const note: Note = (id, isCommitted, eventId) => {
      if (isCommitted) committed.add(id);
      else aborted.set(id, eventId);
    };
    if (!(await this.#read(places, sinceMs, producerIds, note))) return null;
    for (const id of committed) aborted.delete(id);
    if (aborted.size === 0) return { committed, aborted: new Set() };
    // Somebody else of ours may have delivered since what was aborted here.
    const strike: Note = (id, isCommitted, eventId) => {
      if (isCommitted && aborted.get(id) === eventId) aborted.delete(id);
    };
    return (await this.#read(places, sinceMs, null, strike)) ? { committed, aborted: new Set(aborted.keys()) } : null;
  }

  /** Where the producers wrote, with the time of the last thing done there, and those of them that wrote at all. */
  async #findPlaces(): Promise<{ places: Map<PartitionPlace, number>; producerIds: Set<number> }> {
    const { brokers, topics } = this.#context;
    const all = await findPartitions(brokers, topics);
    const away = all.find(({ leader }) => leader < 0);
    if (away !== undefined) throw new RelayError('KAFKA_UNREACHABLE', `partition ${placeName(away)} has no leader`);
    const byName = new Map(all.map((place) => [placeName(place), place]));
    const places = new Map<PartitionPlace, number>();
    const producerIds = new Set<number>();
    for (const { topic, partition, code, producers } of await findProducers(brokers, all)) {
      if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic, partition });
      const theirs = producers.filter((each) => this.#question.producerIds.has(each.producerId));
      const place = byName.get(placeName({ topic, partition }));
      for (const { producerId, lastTimestampMs } of theirs) {
        producerIds.add(producerId);
        // Of several the clocks may differ: then everything is read.
        if (place !== undefined) places.set(place, theirs.length > 1 ? Number.NaN : lastTimestampMs);
      }
    }
    return { places, producerIds };
  }

  /** False: too much to read. `wanted` null: of every producer, to the end of the partitions. */
  async #read(
    places: ReadonlyMap<PartitionPlace, number>,
    sinceMs: number,
    wanted: ReadonlySet<number> | null,
    note: Note,
  ): Promise<boolean> {
    const { brokers, settings } = this.#context;
    const all = [...places.keys()];
    const starts = await findOffsets(brokers, all, Math.max(0, sinceMs), 'written');
    const ends = await findOffsets(brokers, all, LATEST, 'written');
    const cursors = all
      .map((place) => ({
        ...place,
        position: starts.get(placeName(place)) ?? -1,
        end: ends.get(placeName(place)) ?? 0,
        lastMs: wanted === null ? Number.NaN : (places.get(place) ?? 0),
        open: new Map(),
      }))
      .filter(({ position }) => position >= 0);
    for (let left: Cursor[] = cursors; left.length > 0; ) {
      if (this.#bytes > BYTES_MAX || settings.clock.nowMs() > this.#endsAtMs) return false;
      const before = this.#bytes;
      const done = await this.#fetch(left, wanted, note);
      left = left.filter((cursor) => !done.has(cursor) && this.#isOpen(cursor, wanted));
      if (this.#bytes === before && left.length > 0) await settings.clock.sleep(PAUSE_MS);
    }
    return true;
  }

  /** What a wanted producer sent has an end, which may lie behind the partition's end as it was at the start. */
  #isOpen({ position, end, open }: Cursor, wanted: ReadonlySet<number> | null): boolean {
    return position < end || (wanted !== null && open.size > 0);
  }

  /** One fetch from each leader. Answers with the cursors at which everything wanted was read. */
  async #fetch(cursors: readonly Cursor[], wanted: ReadonlySet<number> | null, note: Note): Promise<Set<Cursor>> {
    const done = new Set<Cursor>();
    for (const [leader, led] of Map.groupBy(cursors, (cursor) => cursor.leader)) {
      const link = await this.#context.brokers.node(leader);
      const positions = led.map(({ topic, partition, position: offset }) => ({ topic, partition, offset }));
      const { code, partitions } = await link.ask(fetchRecords(positions, LIMITS, 'uncommitted'));
      if (code !== CODE.none) throw faultOfCode(code, { step: 'read' });
      for (const { topic, partition, code: partitionCode, set } of partitions) {
        if (partitionCode !== CODE.none) throw faultOfCode(partitionCode, { step: 'read', topic, partition });
        const cursor = led.find((each) => each.topic === topic && each.partition === partition);
        if (cursor === undefined) continue;
        this.#bytes += set.length;
        const onEnd = (records: readonly TracedRecord[], committed: boolean, timestampMs: number) => {
          for (const record of records) this.#judge(record, committed, note);
          if (timestampMs === cursor.lastMs && cursor.open.size === 0) done.add(cursor);
        };
        const { position, open } = cursor;
        const trace = () => traceTransactions(set, position, wanted, { open, onEnd });
        cursor.position = readingAt(topic, partition, trace);
      }
    }
    return done;
  }

  /** Of a lane that was asked for, and not older than what its marker has behind it. */
  #judge({ headers, timestampMs }: TracedRecord, committed: boolean, note: Note): void {
    const id = Number(headers['outbox-id'] ?? Number.NaN);
    if (!Number.isSafeInteger(id)) return;
    const lane = laneOf(id);
    const sinceMs = this.#question.notes.get(lane)?.sinceMs ?? 0;
    if (this.#question.lanes.has(lane) && timestampMs >= sinceMs - MARGIN_MS) note(id, committed, headers.id);
  }
}
