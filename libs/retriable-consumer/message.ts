/** What a handler gets, and what is known of a message that failed. */
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

export interface HandlerContext {
  /** Aborted when the consumer no longer waits for this handler: its message will come again. */
  readonly signal: AbortSignal;
}

/** Resolves when the message is handled; a rejection is a failed attempt. Must bear being called again for one message. */
export type Handler = (message: ConsumedMessage, context: HandlerContext) => Promise<unknown> | unknown;

/** A record to be written to a retry or dead-letter topic, before it is cut into chunks. */
export interface FailureRecord {
  readonly kind: 'retry' | 'dead';
  readonly topic: string;
  /** Where it goes when the topic is not there (any more); null when there is no other place. */
  readonly fallbackTopic: string | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
  /** False for chunks whose group is dead: they keep the headers they came with, for whoever looks for the rest. */
  readonly mayBeSplit: boolean;
}
