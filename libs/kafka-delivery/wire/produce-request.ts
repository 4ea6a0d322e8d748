/** Produce v7: one batch for each (topic, partition), written straight into the request's buffer. */
import { type BatchContext, type RecordContent, writeRecordBatch } from './record-batch.ts';
import type { WireRequest } from './request.ts';
import type { WireWriter } from './wire-writer.ts';

/** The records of one partition still to be sent; `next` moves as batches are written. */
export interface PartitionFlow {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly RecordContent[];
  next: number;
}

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly code: number;
  /** Of the batch's first record; -1 with an error. */
  readonly baseOffset: number;
}

/** What was put into one request, to be compared with what the broker answered. */
export interface SentBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
}

export interface ProduceOptions {
  readonly transactionalId: string | null;
  readonly acks: -1 | 0 | 1;
  /** How long the broker waits for replicas, milliseconds. */
  readonly timeoutMs: number;
  /** A request stops taking batches past this size; the first batch always fits. */
  readonly requestBytesMax: number;
  /** What the broker takes at all: only a first batch may be larger. */
  readonly brokerBytesMax?: number;
  readonly contextOf: (flow: PartitionFlow) => BatchContext;
}

export interface ProduceRequest extends WireRequest<readonly ProducedPartition[]> {
  /** Filled by `write`: what this request carries. */
  readonly sent: readonly SentBatch[];
}

/**
 * Takes the next batch of each flow, up to the request's bound, and moves the flows' cursors.
 * Flows of one topic must stand together.
 */
export function produce(flows: readonly PartitionFlow[], options: ProduceOptions): ProduceRequest {
  const sent: SentBatch[] = [];
  const { brokerBytesMax = Number.POSITIVE_INFINITY } = options;
  return {
    api: 0,
    name: 'Produce',
    version: 7,
    answered: options.acks !== 0,
    throttleAt: 'end',
    sent,
    write: async (writer) => {
      writer.string(options.transactionalId).int16(options.acks).int32(options.timeoutMs);
      const topics = startCount(writer);
      let partitions = topics;
      for (const flow of flows) {
        if (flow.next >= flow.records.length) continue;
        if (sent.length > 0 && writer.offset - topics.at > options.requestBytesMax) break;
        const from = writer.offset;
        const before = { next: flow.next, topics: topics.count, partitions };
        if (flow.topic !== sent.at(-1)?.topic) {
          addOne(writer, topics);
          writer.string(flow.topic);
          partitions = startCount(writer);
        }
        addOne(writer, partitions);
        const batch = await writeBatchOf(writer, flow, options);
        if (sent.length > 0 && writer.offset > brokerBytesMax) {
          // Too much: the batch is for the next request.
          writer.offset = from;
          flow.next = before.next;
          setCount(writer, topics, before.topics);
          if (partitions === before.partitions) setCount(writer, partitions, partitions.count - 1);
          break;
        }
        sent.push(batch);
      }
    },
    read: (reader) =>
      reader
        .array(() => {
          const topic = reader.string() ?? '';
          return reader.array(() => {
            const produced = {
              topic,
              partition: reader.int32(),
              code: reader.int16(),
              baseOffset: reader.int64(),
            };
            reader.offset += 16; // append time, log start
            return produced;
          });
        })
        .flat(),
  };
}

/** An array whose length is known only once it is written. */
interface OpenCount {
  readonly at: number;
  count: number;
}

function startCount(writer: WireWriter): OpenCount {
  const at = writer.offset;
  writer.int32(0);
  return { at, count: 0 };
}

function setCount(writer: WireWriter, open: OpenCount, count: number): void {
  open.count = count;
  writer.bytes.writeInt32BE(count, open.at);
}

const addOne = (writer: WireWriter, open: OpenCount): void => setCount(writer, open, open.count + 1);

async function writeBatchOf(writer: WireWriter, flow: PartitionFlow, options: ProduceOptions): Promise<SentBatch> {
  writer.int32(flow.partition);
  const sizeAt = writer.offset;
  writer.int32(0);
  const batchAt = writer.offset;
  const from = flow.next;
  flow.next = await writeRecordBatch(writer, flow.records, from, options.contextOf(flow));
  const bytes = writer.offset - batchAt;
  writer.bytes.writeInt32BE(bytes, sizeAt);
  return { topic: flow.topic, partition: flow.partition, records: flow.next - from, bytes };
}
