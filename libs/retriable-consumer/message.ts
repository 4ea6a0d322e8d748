/** What a handler gets, and what it leaves to be written. */
import type { MessageHeaders, ReadRecord } from '#chunking';

/** A record as the consumer read it. */
export interface SourceRecord extends ReadRecord {
  /** Milliseconds since the epoch, as the record says. */
  readonly timestampMs: number;
}

export interface ConsumedMessage {
  readonly topic: string;
  readonly partition: number;
  /** Of its first record. */
  readonly offset: bigint;
  readonly key: Buffer | null;
  /** Joined, if it came in chunks. */
  readonly value: Buffer | null;
  /** Without those of chunks and retries. */
  readonly headers: MessageHeaders;
  readonly timestampMs: number;
  /** 0 the first time, n for the nth retry. */
  readonly attempt: number;
  /** Where it was before its first retry: the original topic. */
  readonly origin: Origin;
}

export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A record that a handler gives to `produce`. */
export interface ProducedRecord {
  readonly topic: string;
  readonly key?: Buffer | string | null;
  /** Null is a tombstone. */
  readonly value: Buffer | string | null;
  readonly headers?: MessageHeaders;
  /** Default: that of the key, by Kafka's own partitioner; without a key, one after the other. */
  readonly partition?: number;
}

export interface HandlerContext {
  /** Aborted when the consumer no longer waits for this handler: its message will come again. */
  readonly signal: AbortSignal;
  /**
   * Writes a record exactly once: in one Kafka transaction with the offset that passes the message, once the handler has
   * succeeded. What a failed attempt produced is forgotten. A record that its topic cannot take (too large, no such topic)
   * makes the attempt a failed one. Throws INTERNAL after the handler has ended.
   */
  produce(record: ProducedRecord): void;
}

/** Resolves when the message is handled; a rejection is a failed attempt. Must bear being called again for one message. */
export type Handler = (message: ConsumedMessage, context: HandlerContext) => Promise<unknown> | unknown;

/** A record waiting to be written with an offset, before it is cut into chunks. */
export interface PendingRecord {
  readonly kind: 'retry' | 'dead' | 'output';
  readonly topic: string;
  /** Null: by its key. */
  readonly partition: number | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
  /** False for chunks whose group is dead: they keep the headers they came with, for whoever looks for the rest. */
  readonly mayBeSplit: boolean;
}

/** What one message leaves behind: its retry, its dead letter, or what its handler produced. Written whole or not at all. */
export interface PendingGroup {
  readonly records: readonly PendingRecord[];
  /** The dead letter of the message, when its records cannot be written; null where the records are dead letters. */
  readonly bury: ((reason: string, error: unknown) => PendingRecord) | null;
}
