/** What a consumer knows of one partition, from one rebalance to the next. */
import type { Joiner } from '#chunking';
import type { GroupMember } from '#kafka-delivery';
import type { TopicRule } from './consumer-options.ts';
import type { SourceRecord } from './message.ts';
import { PartitionLedger } from './partition-ledger.ts';

/** A key (or the partition) whose message waits for its next attempt in place; later ones wait behind it. */
export interface Parked {
  readonly offset: bigint;
  readonly dueMs: number;
}

export type PartitionOfTopic = Pick<PartitionState, 'topic' | 'partition' | 'topicId'>;

export class PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** Null where brokers give no ids. */
  readonly topicId: string | null;
  readonly rule: TopicRule;
  readonly ledger: PartitionLedger;
  readonly parked = new Map<string, Parked>();
  /** Failed attempts in place, by the first offset of the message. */
  readonly attempts = new Map<bigint, number>();
  /** A batch of it is being handled. */
  active = false;
  /** Batches begun so far, and how many it were when it was last looked at. */
  batches = 0;
  batchesSeen = 0;
  /** Settlements of a partition come one after the other. */
  settling: Promise<void> = Promise.resolve();
  /** A record was refused: each message's records go in a transaction of their own until the culprit is found. */
  narrow = false;
  /** A commit outside of batches is under way. */
  isSettling = false;
  /** Where the last commit has come to, and since when there has been something to commit behind it. */
  lastCommit = { offset: -1n, sinceMs: 0 };
  /** The last transaction was given up before anybody knew whether it is committed. */
  inDoubt = false;

  constructor(place: PartitionOfTopic, rule: TopicRule, position: bigint) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.topicId = place.topicId;
    this.rule = rule;
    this.ledger = new PartitionLedger(position);
  }

  get name(): string {
    return `${this.topic}/${this.partition}`;
  }

  /** False when one batch has lasted since the last call: nothing was read meanwhile. */
  wasRead(): boolean {
    const moved = this.batches !== this.batchesSeen;
    this.batchesSeen = this.batches;
    return moved || !this.active;
  }

  /** The lowest parked offset, from where everything is read again, and when the first of them is due. */
  earliestParked(): Parked | null {
    const [first, ...others] = this.parked.values();
    if (first === undefined) return null;
    let { offset, dueMs } = first;
    for (const other of others) {
      if (other.offset < offset) offset = other.offset;
      dueMs = Math.min(dueMs, other.dueMs);
    }
    return { offset, dueMs };
  }
}

/** Everything that one membership of the group knows; the next begins anew from the committed offsets. */
export interface Generation {
  /** As the coordinator knows us in this round. */
  readonly member: GroupMember;
  readonly joiner: Joiner<SourceRecord>;
  readonly partitions: Map<string, PartitionState>;
  /** Whose committed offset has been asked for: no transaction of an earlier owner can change it any more. */
  readonly positioned: Set<string>;
}
