/**
 * The high watermarks of a topic's partitions. kafkajs only asks for the last stable offset, which for some milliseconds
 * after a commit still lies below the committed records: a reader that ends there would call them missing.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Kafka } from 'kafkajs';

const DEADLINE_MS = 10_000;
const LIST_OFFSETS = 2;
/** The last version without an isolation level, and the first one Kafka 4 accepts. */
const LIST_OFFSETS_VERSION = 1;
const LATEST = -1n;

const int16 = (value: number): Buffer => {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
};
const int32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};
const int64 = (value: bigint): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(value);
  return buffer;
};
const text = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);

/** Partition -> offset after its last record, transaction markers and open transactions included. */
export async function highWatermarks(kafka: Kafka, topic: string): Promise<Map<number, bigint>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const { brokers } = await admin.describeCluster();
    const partitions = topics[0]?.partitions ?? [];
    const answers = brokers.map(async ({ nodeId, host, port }) => {
      const led = partitions.filter(({ leader }) => leader === nodeId).map(({ partitionId }) => partitionId);
      return led.length === 0 ? [] : await askLeader({ host, port }, topic, led);
    });
    const marks = new Map((await Promise.all(answers)).flat());
    if (marks.size !== partitions.length) throw new Error(`${topic}: some partitions have no leader`);
    return marks;
  } finally {
    await admin.disconnect();
  }
}

async function askLeader(
  address: { host: string; port: number },
  topic: string,
  partitions: readonly number[],
): Promise<[number, bigint][]> {
  const asked = partitions.flatMap((partition) => [int32(partition), int64(LATEST)]);
  const request = Buffer.concat([
    ...[int16(LIST_OFFSETS), int16(LIST_OFFSETS_VERSION), int32(1), text('krs-testkit')],
    ...[int32(-1), int32(1), text(topic), int32(partitions.length), ...asked],
  ]);
  const response = await exchange(address, request);
  // Size and correlation id, one topic with its name, then the partitions.
  let at = 4 + 4 + 4 + 2 + Buffer.byteLength(topic);
  const count = response.readInt32BE(at);
  at += 4;
  return Array.from({ length: count }, (_, index): [number, bigint] => {
    const entry = at + index * 22;
    const error = response.readInt16BE(entry + 4);
    if (error !== 0) throw new Error(`${topic}: the broker answers error ${error} for its end`);
    return [response.readInt32BE(entry), response.readBigInt64BE(entry + 14)];
  });
}

async function exchange(address: { host: string; port: number }, request: Buffer): Promise<Buffer> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const socket = connect({ ...address, signal });
  try {
    await once(socket, 'connect');
    socket.write(Buffer.concat([int32(request.length), request]));
    let response = Buffer.alloc(0);
    for await (const chunk of socket) {
      response = Buffer.concat([response, chunk as Buffer]);
      if (response.length >= 4 && response.length >= 4 + response.readInt32BE(0)) return response;
    }
    throw new Error('the broker hung up');
  } finally {
    socket.destroy();
  }
}
