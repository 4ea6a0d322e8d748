/**
 * Records for a kafkajs consumer, decoded here and not by kafkajs 2.2.4: it knows gzip only, and another codec ends it; the other
 * codecs it takes from a table that all of its users in a process share, and which is theirs. It takes time with the square of a
 * record's headers, checks no checksum, inflates without a bound, and reads a batch that compaction has emptied for ever.
 */
import { asRelayError, RelayError } from '#runtime';
import type { FetchedMessage } from './fetched-message.ts';
import { decodeRecords } from './kafkajs.ts';
import {
  ATTRIBUTE_CONTROL,
  ATTRIBUTE_TRANSACTIONAL,
  type Batch,
  cutOffAt,
  eachRecord,
  magicOf,
  readBatch,
} from './wire/batches.ts';
import { putHeader } from './wire/put-header.ts';
import { WireReader } from './wire/wire-reader.ts';

type HeadersOf = NonNullable<FetchedMessage['headers']>;
type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Shared by what one fetch has brought: what it does not reach is fetched again. */
export interface InflateBudget {
  bytesLeft: number;
}

export interface DecodedSet {
  readonly messages: FetchedMessage[];
  /** Why no more than `messages` could be read. */
  readonly fault: RelayError | null;
}

/** Throws KAFKA_UNREADABLE. */
function messagesOf(batch: Batch, budget: InflateBudget): FetchedMessage[] {
  const messages: FetchedMessage[] = [];
  const { attributes, producerId, lastOffset, count } = batch;
  const batchContext = {
    producerId: String(producerId),
    inTransaction: (attributes & ATTRIBUTE_TRANSACTIONAL) !== 0,
  };
  const isControlRecord = (attributes & ATTRIBUTE_CONTROL) !== 0;
  let headers: Mutable<HeadersOf> = {};
  if (count > 0) {
    budget.bytesLeft -= eachRecord(
      batch,
      (name, value) => putHeader(headers, name.toString('utf8'), value),
      ({ offset, timestampMs, key, value }) => {
        const place = { offset: String(offset), timestamp: String(timestampMs) };
        messages.push({ ...place, key, value, headers, isControlRecord, batchContext });
        headers = {};
      },
    );
  }
  // What compaction has left out behind the last record is passed too: kafkajs goes on behind the last message that it sees.
  if (messages.at(-1)?.offset !== String(lastOffset)) {
    messages.push({ offset: String(lastOffset), key: null, isControlRecord: true });
  }
  return messages;
}

/** Formats 0 and 1: gzip only. */
async function decodeOld(sized: Buffer, position: number): Promise<DecodedSet> {
  try {
    return { messages: await decodeRecords<FetchedMessage>(sized), fault: null };
  } catch (cause) {
    const text = `the message format of before Kafka 0.11 cannot be read here: ${asRelayError(cause).message}`;
    const fault = new RelayError('KAFKA_UNREADABLE', text, { cause, details: { offset: position } });
    return { messages: [], fault };
  }
}

/**
 * What the records of one partition, fetched from `position`, are; `sized` has their size in front. Never rejects: up to the first
 * batch that cannot be read everything is, and the fault says where that is.
 */
export async function decodeSet(sized: Buffer, position: number, budget: InflateBudget): Promise<DecodedSet> {
  const set = sized.subarray(4);
  const magic = magicOf(set);
  if (magic === 0 || magic === 1) return await decodeOld(sized, position);
  const reader = new WireReader(set);
  const messages: FetchedMessage[] = [];
  try {
    if (set.length > 0 && readBatch(reader) === null) throw cutOffAt(position);
    reader.offset = 0;
    for (let batch = readBatch(reader); batch !== null && budget.bytesLeft > 0; batch = readBatch(reader)) {
      if (batch.lastOffset < position) continue;
      for (const message of messagesOf(batch, budget)) messages.push(message);
    }
    return { messages, fault: null };
  } catch (thrown) {
    return { messages, fault: asRelayError(thrown) };
  }
}
