/** What goes into a joiner and what comes out of it. */
import type { Clock } from '#runtime';
import type { HeaderFault, MessageHeaders } from './chunk-headers.ts';

/** A record as it was read. */
export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

/** A message as its sender gave it: of one record, or joined from its chunks. */
export interface JoinedMessage<R extends ReadRecord> {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Those of chunk 0 without the chunk headers. */
  readonly headers: MessageHeaders;
  /** One, or all chunks in their order, duplicates left out. */
  readonly records: readonly R[];
  /** The offsets that are finished when the message is: of its records, and of their duplicates. Ascending. */
  readonly offsets: readonly bigint[];
}

/** Why records can make no message any more. */
export type DeadReason =
  | HeaderFault
  | 'too-many-chunks'
  | 'chunk-count-contradicts'
  | 'chunk-content-contradicts'
  | 'waited-too-long'
  | 'memory-full'
  | 'group-is-dead';

export type JoinOutcome<R extends ReadRecord> =
  /** To be handled. Its offsets may be committed once it was. */
  | { readonly kind: 'message'; readonly message: JoinedMessage<R> }
  /** Waits for the rest of its group: ask `committable` how far a commit may go. */
  | { readonly kind: 'held' }
  /** The same chunk was there before; its message is finished with, or will be: nothing to do but to commit in turn. */
  | { readonly kind: 'duplicate'; readonly record: R }
  /** Never a message: to the dead letters with them, then their offsets may be committed. */
  | {
      readonly kind: 'dead';
      readonly reason: DeadReason;
      readonly records: readonly R[];
      readonly offsets: readonly bigint[];
    };

export interface JoinerOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** A group that has got no new chunk for so long is dead. Default 900,000 ms. */
  readonly waitMs?: number;
  /** Chunks held in memory, with all that they take; beyond it the oldest group is dead. Default 256 MiB. */
  readonly heldBytesMax?: number;
  /** Unfinished groups; beyond it the oldest is dead. Default 1,000. */
  readonly groupsMax?: number;
  /** A group that claims more is dead at once. Default 10,000. */
  readonly chunksMax?: number;
  /** Finished groups remembered for their late duplicates. Default 1,000. */
  readonly settledMax?: number;
}

export interface Joiner<R extends ReadRecord> {
  /**
   * Takes the records of a partition in the order of their offsets. The outcomes: one for this record, and before it one
   * for each group that had to go for its sake.
   * An offset that is not above the last one of the partition means that it is read again from there: what was known of
   * that offset and of later ones is forgotten first.
   */
  accept(record: R): readonly JoinOutcome<R>[];
  /**
   * The groups that have waited too long, dead now. Call it every few seconds. `isRead` says whether the partition was read
   * since the last call: otherwise that time does not count for its groups.
   */
  expire(isRead?: (topic: string, partition: number) => boolean): readonly JoinOutcome<R>[];
  /**
   * The highest offset that may be committed (Kafka commits the next offset to read), when everything below `next` is
   * handled: not behind the first chunk of an unfinished group, and not in the middle of a finished one, whose later chunks
   * would wait for the earlier ones in vain after a restart. Call it with ascending `next`.
   */
  committable(topic: string, partition: number, next: bigint): bigint;
  /** The oldest unfinished group of the partition, dead now: for whoever can wait for it no longer. Null without one. */
  giveUpOldest(topic: string, partition: number): JoinOutcome<R> | null;
  /** The lowest offset of an unfinished group of the partition; null without one. */
  lowestHeldOffset(topic: string, partition: number): bigint | null;
  /** The partition is somebody else's now: its groups are read again by whoever has it next. */
  forget(topic: string, partition: number): void;
  readonly heldGroups: number;
  readonly heldBytes: number;
}
