/**
 * A read_committed reader without a consumer group, for `verify`, the end-to-end checks and tests: it reads each
 * partition up to the end seen at its start (or goes on until told to stop), and leaves nothing behind.
 */
import { RelayError } from '#runtime';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { readingAt } from './wire/batches.ts';
import { EARLIEST, LATEST, type LogEnd, listOffsets } from './wire/cluster-requests.ts';
import { type FetchedPartition, fetchRecords } from './wire/fetch-request.ts';
import { type FetchedRecord, readRecordBatches } from './wire/read-record-batches.ts';

export interface ReadOptions {
  readonly topics: readonly string[];
  /** False (default): sizes only, which keeps a large check small. */
  readonly withValues?: boolean;
  /** `end` starts at the end instead of the beginning: only with `follow`. */
  readonly from?: 'beginning' | 'end';
  /**
   * Which end: `stable` (default) is before the first open transaction, `written` waits for those open at the start. A commit
   * is answered before its markers are in the partitions, so records committed a moment ago may lie behind the stable end.
   */
  readonly to?: LogEnd;
  /** Go on past the end seen at the start, until the signal aborts. */
  readonly follow?: AbortSignal;
  /** Give up when no position moves for this long (not while following). */
  readonly stallMsMax?: number;
}

/** What one fetch gave of one partition; `records` is empty when only aborted data or control batches were there. */
export interface ReadBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly FetchedRecord[];
  /** Offsets: where the reading began, where it stands, where it will end (for progress). */
  readonly start: number;
  readonly position: number;
  readonly end: number;
}

interface Cursor {
  readonly topic: string;
  readonly partition: number;
  leader: number;
  start: number;
  position: number;
  end: number;
}

const STALL_MS_MAX = 30_000;
const RETRY_MS = 200;
const LIMITS = { waitMs: 250, bytesMax: 8 * 1024 * 1024, partitionBytesMax: 1024 * 1024 };

const nameOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }) =>
  `${topic}/${partition}`;

async function describeCursors(brokers: Brokers, topics: readonly string[]): Promise<Cursor[]> {
  const described = await brokers.describe(topics);
  return described.topics.flatMap(({ topic, code, partitions }) => {
    if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic });
    return partitions.map(({ partition, leader }) => ({
      topic,
      partition,
      leader,
      start: 0,
      position: 0,
      end: 0,
    }));
  });
}

/** Cursors by leader; a partition without one is a fault that passes. */
function byLeader(cursors: readonly Cursor[]): Map<number, Cursor[]> {
  const groups = new Map<number, Cursor[]>();
  for (const cursor of cursors) {
    if (cursor.leader < 0) {
      throw new RelayError('KAFKA_UNREACHABLE', `partition ${nameOf(cursor)} has no leader`);
    }
    groups.set(cursor.leader, [...(groups.get(cursor.leader) ?? []), cursor]);
  }
  return groups;
}

async function offsetsOf(
  brokers: Brokers,
  cursors: readonly Cursor[],
  when: typeof EARLIEST | typeof LATEST,
  end: LogEnd = 'stable',
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [leader, led] of byLeader(cursors)) {
    const link = await brokers.node(leader);
    for (const topic of new Set(led.map((cursor) => cursor.topic))) {
      const partitions = led.filter((cursor) => cursor.topic === topic).map(({ partition }) => partition);
      for (const { partition, code, offset } of await link.ask(listOffsets(topic, partitions, when, end))) {
        if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic, partition });
        found.set(nameOf({ topic, partition }), offset);
      }
    }
  }
  return found;
}

async function openCursors(brokers: Brokers, options: ReadOptions): Promise<Cursor[]> {
  const cursors = await describeCursors(brokers, options.topics);
  const starts = await offsetsOf(brokers, cursors, EARLIEST);
  const ends = await offsetsOf(brokers, cursors, LATEST, options.to);
  for (const cursor of cursors) {
    const end = ends.get(nameOf(cursor)) ?? 0;
    cursor.start = options.from === 'end' ? end : (starts.get(nameOf(cursor)) ?? 0);
    cursor.position = cursor.start;
    cursor.end = options.follow ? Number.POSITIVE_INFINITY : end;
  }
  return cursors;
}

/** Moves the cursor and returns what lies before its end; null when the position did not move. */
function take(cursor: Cursor, fetched: FetchedPartition, withValues: boolean): ReadBatch | null {
  const { topic, partition } = cursor;
  if (fetched.code !== CODE.none) throw faultOfCode(fetched.code, { step: 'read', topic, partition });
  const before = cursor.position;
  const { records, nextOffset } = readingAt(topic, partition, () =>
    readRecordBatches(fetched.set, before, fetched.aborted, withValues),
  );
  if (nextOffset === before) return null;
  cursor.position = nextOffset;
  const wanted = nextOffset <= cursor.end ? records : records.filter(({ offset }) => offset < cursor.end);
  const { start, position, end } = cursor;
  return { topic, partition, records: wanted, start, position: Math.min(position, end), end };
}

/** One fetch from each leader that still has something. */
async function* fetchRound(
  brokers: Brokers,
  waiting: readonly Cursor[],
  withValues: boolean,
): AsyncGenerator<ReadBatch> {
  for (const [leader, cursors] of byLeader(waiting)) {
    const link = await brokers.node(leader);
    const positions = cursors.map(({ topic, partition, position: offset }) => ({ topic, partition, offset }));
    const answer = await link.ask(fetchRecords(positions, LIMITS));
    if (answer.code !== CODE.none) throw faultOfCode(answer.code, { step: 'read' });
    const byName = new Map(cursors.map((cursor) => [nameOf(cursor), cursor]));
    for (const fetched of answer.partitions) {
      const cursor = byName.get(nameOf(fetched));
      const batch = cursor ? take(cursor, fetched, withValues) : null;
      if (batch) yield batch;
    }
  }
}

/** After a fault that passes: leaders may have moved, and retention may have deleted what we stood before. */
async function findAgain(brokers: Brokers, topics: readonly string[], cursors: readonly Cursor[]) {
  const fresh = new Map((await describeCursors(brokers, topics)).map((cursor) => [nameOf(cursor), cursor]));
  for (const cursor of cursors) cursor.leader = fresh.get(nameOf(cursor))?.leader ?? -1;
  const starts = await offsetsOf(brokers, cursors, EARLIEST);
  for (const cursor of cursors) {
    cursor.position = Math.max(cursor.position, starts.get(nameOf(cursor)) ?? 0);
  }
}

/**
 * Yields batches in offset order per partition. Memory is bounded by one fetch answer.
 * Throws KAFKA_TOPIC_MISSING, KAFKA_REFUSED, KAFKA_UNSUPPORTED, KAFKA_UNREADABLE, or KAFKA_UNREACHABLE when nothing moves any more.
 */
export async function* readTopics(connection: KafkaConnection, options: ReadOptions): AsyncGenerator<ReadBatch> {
  const { clock } = connection.settings;
  const { follow, withValues = false, stallMsMax = STALL_MS_MAX } = options;
  const brokers = connection.brokers();
  try {
    const cursors = await openCursors(brokers, options);
    let movedAtMs = clock.nowMs();
    for (;;) {
      const waiting = cursors.filter(({ position, end }) => position < end);
      if (waiting.length === 0 || follow?.aborted) return;
      let fault: RelayError | null = null;
      try {
        for await (const batch of fetchRound(brokers, waiting, withValues)) {
          yield batch;
          movedAtMs = clock.nowMs();
        }
      } catch (error) {
        fault = faultOfThrown(error, { step: 'read' });
        if (fault.code !== 'KAFKA_UNREACHABLE') throw fault;
      }
      if (!follow && clock.nowMs() - movedAtMs > stallMsMax) {
        const where = waiting.map(nameOf).slice(0, 5).join(', ');
        throw fault ?? new RelayError('KAFKA_UNREACHABLE', `reading stands still at ${where}`);
      }
      if (fault === null) continue;
      await clock.sleep(RETRY_MS, follow);
      await findAgain(brokers, options.topics, cursors).catch((error) => {
        const again = faultOfThrown(error, { step: 'read' });
        if (again.verdict !== 'retry') throw again;
      });
    }
  } catch (error) {
    throw faultOfThrown(error, { step: 'read' });
  } finally {
    await brokers.close();
  }
}
