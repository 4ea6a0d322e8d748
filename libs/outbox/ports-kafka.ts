/** The Kafka port: transactional producers, fencing, and the markers kept in Kafka itself. */
import type { ErrorCode, StallCause } from '#runtime';
import type { Doubt } from './ports-aside.ts';
import type { Target } from './targets.ts';

/** One record of a transaction, addressed by topic; the adapter picks the partition, explicitly, by key. */
export interface DeliveryRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Spreads records without a key over partitions; the outbox id. */
  readonly spread: number;
  readonly size: number;
  /** Bytes of the value where it is not at hand; absent: the value is. */
  readonly valueBytes?: number | null;
}

/** What brokers impose on us (quotas). */
export interface Throttle {
  /** `host:port` of the one that imposes most. */
  readonly broker: string;
  /** How long a broker takes nothing more from this session, from now on; 0: all take. */
  readonly waitMs: number;
  readonly lastMinuteMs: number;
}

/** Offsets of the marker group: partition -> value. `lane` partitions carry outbox ids, `retry` partitions attempt tokens. */
export interface MarkerWrite {
  readonly kind: 'lane' | 'retry';
  readonly lane: number;
  readonly value: number;
}

/** A topic or partition that took nothing, and why. */
export interface FaultTarget extends Target {
  readonly code: ErrorCode;
  readonly cause: StallCause;
  readonly message: string;
}

/** Which records a fault is about, when that is known. */
export interface DeliveryFaultScope {
  readonly topic: string;
  readonly partition: number | null;
  /** Every topic and partition that is known to take nothing now; empty when the fault is not of that kind. */
  readonly targets: readonly FaultTarget[];
}

/** A live transactional producer: from `open` (InitProducerId done) to the first error or `close`. */
export interface ProducerSession {
  /** False in the honest at-least-once mode: markers are not written and not to be read. */
  readonly transactional: boolean;
  /**
   * One Kafka transaction: begin, send all records with explicit partitions, check that the result names every
   * (topic, partition) sent, write the markers, commit. Resolves only when it is certainly committed.
   * After a rejection the outcome is unknown and the session is dead: close it, open a new one, read the markers.
   * Rejections: KAFKA_RECORD_REFUSED (row fault), KAFKA_TOPIC_MISSING / KAFKA_REFUSED (world, with `scopeOf(error)`), others.
   */
  transact(records: readonly DeliveryRecord[], markers: readonly MarkerWrite[]): Promise<void>;
  /**
   * Those of the records that would certainly be refused for their size, and why: the limit and the setting behind it. Without
   * sending anything; asks for limits that are not known or no longer fresh. Absent: sizes are only known by refusals.
   */
  misfits?(records: readonly DeliveryRecord[]): Promise<ReadonlyMap<DeliveryRecord, string>>;
  /** Null: nothing was imposed within the last minute. */
  throttle?(): Throttle | null;
  /**
   * After a rejection: true when the transaction was not even begun (a topic that is missing, a partition without a leader), so
   * that the session may go on.
   */
  isIntact(): boolean;
  close(): Promise<void>;
}

/** What became of the records that producers sent last, by outbox id. */
export interface Landed {
  /** Readers see them. */
  readonly committed: ReadonlySet<number>;
  /** They were sent, and nobody will ever see them: each attempt to send them was aborted. */
  readonly aborted: ReadonlySet<number>;
  /** Partitions that cannot be asked now, and may have got records of theirs. */
  readonly unknown: readonly Doubt[];
}

/** Topics that whoever is being fenced may have written to; null: too many to look at. */
export type SentTopics = () => Promise<readonly string[] | null>;

export interface KafkaPort {
  /**
   * Opens a producer and initialises its transactional id: fences every older producer of it, ends its open transaction, and
   * whatever the broker has left open of an earlier one, in the topics of `sentTopics` and in those that this port knows of
   * otherwise. The topics are asked for after the fence, when they cannot become more.
   */
  open(transactionalId: string, sentTopics?: SentTopics): Promise<ProducerSession>;
  /** Fences a transactional id of somebody else: as `open`, and nothing more. */
  fence(transactionalId: string, sentTopics?: SentTopics): Promise<void>;
  /** Markers as committed: -1 where there is none. Call only after `open` or `fence` of whoever could still write them. */
  readMarkers(kind: 'lane' | 'retry', lanes: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * Markers that Kafka has written for good, -1 where there is none: what lies at or below may be deleted. They may lag
   * behind what is committed, and are asked for without waiting and without fencing. Null in the at-least-once mode, which
   * has no markers. A marker is not called written for good before the records of its transaction are; after a session
   * of this port has died, not before the next one is open; and none that a session of this port has written once somebody
   * else has fenced it.
   */
  settledMarkers(kind: 'lane' | 'retry', lanes: readonly number[]): Promise<ReadonlyMap<number, number> | null>;
  /**
   * Reads back what these transactional ids sent last of the lanes, to begin with the oldest that was not written for good when
   * they last wrote a marker of one of them. Call only after `open` or `fence` of the ids by this port and `readMarkers` of the
   * lanes. Null: it cannot be told (no right to read, too much to read, too many topics).
   */
  findLanded(transactionalIds: readonly string[], lanes: readonly number[]): Promise<Landed | null>;
  /**
   * The same for one partition that could not be asked then. Rejects, with a scope, as long as it cannot. Ends what is left
   * open there, so that nothing of it can appear later. Null: it cannot be told, ever.
   */
  findDoubted(doubts: readonly Doubt[], lane: number): Promise<Landed | null>;
  /**
   * Whether the last transaction of an id is decided, though its end may still be on its way to partitions that cannot take it:
   * nothing more of it can be committed. False where that cannot be told.
   */
  isDecided(transactionalId: string): Promise<boolean>;
  /** How many partitions topics have; those that are missing or may not be seen are left out. May be some seconds old. */
  countPartitions(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Where a record goes in a topic of so many partitions. */
  pickPartition(key: Buffer | null, spread: number, partitions: number): number;
  /** The topic and partition a delivery fault is about, or null when it is about the whole transaction. */
  scopeOf(error: unknown): DeliveryFaultScope | null;
}
