/** Joins chunks to messages across interleaving, duplicates and restarts, with bounds on memory and waiting time. */
import { type ChunkPlace, readChunkPlace, withoutChunkHeaders } from './chunk-headers.ts';
import type { DeadReason, Joiner, JoinerOptions, JoinOutcome, ReadRecord } from './join-outcome.ts';
import { JoinedSpans } from './joined-spans.ts';
import { ownBytes, ownRecord } from './own-bytes.ts';
import { digestOf, SettledGroups } from './settled-groups.ts';
import { CHUNKS_MAX, headerBytes } from './split-message.ts';

interface Group<R> {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly id: Buffer;
  readonly count: number;
  readonly chunks: Map<number, R>;
  /** Of chunks that were there before. They are finished with the group. */
  duplicates: bigint[];
  bytes: number;
  /** Time without a new chunk while the partition was read, up to the last look. */
  waitedMs: number;
  lookedMs: number;
}

type Limits = Required<Omit<JoinerOptions, 'clock'>>;

const DEFAULTS: Limits = {
  waitMs: 900_000,
  heldBytesMax: 256 * 1024 * 1024,
  groupsMax: 1_000,
  chunksMax: CHUNKS_MAX,
  settledMax: 1_000,
};

/** Names of groups start with their partition: the same group id in two partitions is two groups. */
const partitionName = (topic: string, partition: number): string => `${topic}/${partition}/`;
const ascending = (offsets: readonly bigint[]): bigint[] => offsets.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
/** Of the objects that hold a chunk, and of the place of a duplicate. Chunks may be empty, and a great many. */
const CHUNK_OBJECTS_BYTES = 600;
const DUPLICATE_BYTES = 64;
const sizeOf = ({ key, value, headers }: ReadRecord): number =>
  CHUNK_OBJECTS_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(headers);
const sameValue = (a: ReadRecord, b: ReadRecord): boolean =>
  Buffer.compare(a.value ?? Buffer.alloc(0), b.value ?? Buffer.alloc(0)) === 0;

function offsetsOf(group: Group<ReadRecord>): bigint[] {
  return ascending([...[...group.chunks.values()].map(({ offset }) => offset), ...group.duplicates]);
}

/** Holds nothing but memory: after a crash the uncommitted chunks are read again and make the same messages. */
export function createJoiner<R extends ReadRecord>(options: JoinerOptions): Joiner<R> {
  return new ChunkJoiner<R>(options);
}

class ChunkJoiner<R extends ReadRecord> implements Joiner<R> {
  readonly #clock: JoinerOptions['clock'];
  readonly #limits: Limits;
  /** In the order of their first chunk. */
  readonly #groups = new Map<string, Group<R>>();
  readonly #settled: SettledGroups;
  readonly #spans = new JoinedSpans();
  readonly #lastOffsets = new Map<string, bigint>();
  #heldBytes = 0;

  constructor({ clock, ...limits }: JoinerOptions) {
    this.#clock = clock;
    this.#limits = { ...DEFAULTS, ...limits };
    this.#settled = new SettledGroups(this.#limits.settledMax);
  }

  get heldGroups(): number {
    return this.#groups.size;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  accept(record: R): readonly JoinOutcome<R>[] {
    this.#noteOffset(record);
    const place = readChunkPlace(record.headers);
    if (place === null) {
      const { key, value, headers, offset } = record;
      return [{ kind: 'message', message: { key, value, headers, records: [record], offsets: [offset] } }];
    }
    if (typeof place === 'string') return [deadRecord(place, record)];
    if (place.count > this.#limits.chunksMax) return [deadRecord('too-many-chunks', record)];
    const name = partitionName(record.topic, record.partition) + place.group.toString('hex');
    return this.#settledOutcome(name, place, record) ?? this.#addToGroup(name, place, record);
  }

  expire(isRead: (topic: string, partition: number) => boolean = () => true): readonly JoinOutcome<R>[] {
    const nowMs = this.#clock.nowMs();
    const dead: JoinOutcome<R>[] = [];
    for (const group of [...this.#groups.values()]) {
      if (isRead(group.topic, group.partition)) group.waitedMs += nowMs - group.lookedMs;
      group.lookedMs = nowMs;
      if (group.waitedMs >= this.#limits.waitMs) dead.push(this.#abandon(group, 'waited-too-long'));
    }
    return dead;
  }

  lowestHeldOffset(topic: string, partition: number): bigint | null {
    let lowest: bigint | null = null;
    for (const group of this.#groups.values()) {
      if (group.topic !== topic || group.partition !== partition) continue;
      const [first] = offsetsOf(group);
      if (first !== undefined && (lowest === null || first < lowest)) lowest = first;
    }
    return lowest;
  }

  giveUpOldest(topic: string, partition: number): JoinOutcome<R> | null {
    for (const group of this.#groups.values()) {
      if (group.topic === topic && group.partition === partition) return this.#abandon(group, 'memory-full');
    }
    return null;
  }

  committable(topic: string, partition: number, next: bigint): bigint {
    const held = this.lowestHeldOffset(topic, partition);
    return this.#spans.clear(partitionName(topic, partition), held !== null && held < next ? held : next);
  }

  forget(topic: string, partition: number): void {
    const prefix = partitionName(topic, partition);
    for (const group of [...this.#groups.values()]) if (group.name.startsWith(prefix)) this.#remove(group);
    this.#settled.forget(prefix);
    this.#spans.forget(prefix);
    this.#lastOffsets.delete(prefix);
  }

  #noteOffset({ topic, partition, offset }: R): void {
    const prefix = partitionName(topic, partition);
    const last = this.#lastOffsets.get(prefix);
    if (last !== undefined && offset <= last) this.#rewind(prefix, offset);
    this.#lastOffsets.set(prefix, offset);
  }

  /** Reading again from `offset`: later chunks come once more, and finished groups may have to be finished again. */
  #rewind(prefix: string, offset: bigint): void {
    this.#settled.forget(prefix);
    this.#spans.forget(prefix);
    for (const group of [...this.#groups.values()]) {
      if (!group.name.startsWith(prefix)) continue;
      for (const [id, chunk] of group.chunks) {
        if (chunk.offset < offset) continue;
        group.chunks.delete(id);
        group.bytes -= sizeOf(chunk);
        this.#heldBytes -= sizeOf(chunk);
      }
      const earlier = group.duplicates.filter((each) => each < offset);
      const forgotten = (group.duplicates.length - earlier.length) * DUPLICATE_BYTES;
      group.bytes -= forgotten;
      this.#heldBytes -= forgotten;
      group.duplicates = earlier;
      if (group.chunks.size === 0) this.#remove(group);
    }
  }

  /** Late chunks of a group that is done with; undefined when the group is not, or is another one of the same name. */
  #settledOutcome(name: string, { id, count }: ChunkPlace, record: R): readonly JoinOutcome<R>[] | undefined {
    const settled = this.#settled.get(name);
    if (settled === undefined) return undefined;
    const prefix = partitionName(record.topic, record.partition);
    if (settled.kind === 'dead') {
      this.#spans.extend(prefix, name, record.offset);
      return [deadRecord('group-is-dead', record)];
    }
    if (settled.digests.length === count && settled.digests[id] === digestOf(record.value)) {
      this.#spans.extend(prefix, name, record.offset);
      return [{ kind: 'duplicate', record }];
    }
    this.#settled.forgetOne(name);
    return undefined;
  }

  #addToGroup(name: string, place: ChunkPlace, record: R): readonly JoinOutcome<R>[] {
    const group = this.#groups.get(name) ?? this.#open(name, place, record);
    const present = group.chunks.get(place.id);
    if (present !== undefined && sameValue(present, record) && group.count === place.count) {
      group.duplicates.push(record.offset);
      return this.#held(group, DUPLICATE_BYTES);
    }
    if (group.count !== place.count) return [this.#abandon(group, 'chunk-count-contradicts', record)];
    if (present !== undefined) return [this.#abandon(group, 'chunk-content-contradicts', record)];
    const kept = ownRecord(record);
    group.chunks.set(place.id, kept);
    group.waitedMs = 0;
    group.lookedMs = this.#clock.nowMs();
    if (group.chunks.size === group.count) return [this.#join(group)];
    return this.#held(group, sizeOf(kept));
  }

  #held(group: Group<R>, moreBytes: number): readonly JoinOutcome<R>[] {
    group.bytes += moreBytes;
    this.#heldBytes += moreBytes;
    const dead = this.#makeRoom();
    return this.#groups.has(group.name) ? [...dead, { kind: 'held' }] : dead;
  }

  #open(name: string, { group: id, count }: ChunkPlace, { topic, partition }: R): Group<R> {
    const times = { waitedMs: 0, lookedMs: this.#clock.nowMs() };
    const group = {
      name,
      topic,
      partition,
      id: ownBytes(id),
      count,
      chunks: new Map(),
      duplicates: [],
      bytes: 0,
      ...times,
    };
    this.#groups.set(name, group);
    return group;
  }

  #join(group: Group<R>): JoinOutcome<R> {
    this.#remove(group);
    const records = [...group.chunks].sort(([a], [b]) => a - b).map(([, chunk]) => chunk);
    this.#settled.remember(group.name, { kind: 'joined', digests: records.map(({ value }) => digestOf(value)) });
    const first = records[0] as R;
    const offsets = offsetsOf(group);
    this.#spans.add(partitionName(group.topic, group.partition), group.name, offsets);
    const message = {
      // A message without a key travels under its group's id.
      key: first.key?.equals(group.id) ? null : first.key,
      value: Buffer.concat(records.map(({ value }) => value ?? Buffer.alloc(0))),
      headers: withoutChunkHeaders(first.headers),
      records,
      offsets,
    };
    return { kind: 'message', message };
  }

  #makeRoom(): JoinOutcome<R>[] {
    const dead: JoinOutcome<R>[] = [];
    for (const group of [...this.#groups.values()]) {
      if (this.#heldBytes <= this.#limits.heldBytesMax && this.#groups.size <= this.#limits.groupsMax) break;
      dead.push(this.#abandon(group, 'memory-full'));
    }
    return dead;
  }

  #abandon(group: Group<R>, reason: DeadReason, culprit?: R): JoinOutcome<R> {
    this.#remove(group);
    this.#settled.remember(group.name, { kind: 'dead', reason });
    const records = [...group.chunks].sort(([a], [b]) => a - b).map(([, chunk]) => chunk);
    const offsets = culprit === undefined ? offsetsOf(group) : ascending([...offsetsOf(group), culprit.offset]);
    this.#spans.add(partitionName(group.topic, group.partition), group.name, offsets);
    return { kind: 'dead', reason, records: culprit === undefined ? records : [...records, culprit], offsets };
  }

  #remove(group: Group<R>): void {
    if (this.#groups.delete(group.name)) this.#heldBytes -= group.bytes;
  }
}

const deadRecord = <R extends ReadRecord>(reason: DeadReason, record: R): JoinOutcome<R> => ({
  kind: 'dead',
  reason,
  records: [record],
  offsets: [record.offset],
});
