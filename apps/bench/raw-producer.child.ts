/**
 * The reference: a plain kafkajs producer, idempotent, sending as many messages of the same key, value and, with
 * `headers`, the same five headers. A process of its own, so that its CPU and memory are its own.
 *
 *   raw-producer.child.ts BOOTSTRAP TOPIC ROWS BATCH_ROWS CONCURRENT headers|plain
 */
import kafkajs from 'kafkajs';
import { cpuUs, peakRssMb } from './process-usage.ts';
import { KEYS, VALUE_BYTES } from './scene.ts';

const [bootstrap = '', topic = '', rowsText, batchText, concurrentText, kind] = process.argv.slice(2);
const rows = Number(rowsText);
const batchRows = Number(batchText);
const withHeaders = kind === 'headers';

const keys = Array.from({ length: KEYS }, (_, key) => Buffer.from(`c${String(key).padStart(4, '0')}`));
const value = Buffer.alloc(VALUE_BYTES, 'x');

function message(index: number): kafkajs.Message {
  const key = keys[(index * 7919) % KEYS] as Buffer;
  if (!withHeaders) return { key, value };
  return {
    key,
    value,
    headers: {
      id: `bench_rows:${index}`,
      'outbox-id': String(index),
      source: 'bench_rows',
      lane: String(index % 8),
      'content-type': 'application/json',
    },
  };
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
const kafka = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING });
const producer = kafka.producer({ idempotent: true });
await producer.connect();
// Connections, metadata and the first compilation are not part of the figure, as with the relay's first transaction.
await producer.send({ topic, messages: Array.from({ length: batchRows }, (_, index) => message(index)) });

let next = 0;
async function sendOn(): Promise<void> {
  while (next < rows) {
    const messages: kafkajs.Message[] = [];
    for (; messages.length < batchRows && next < rows; next += 1) messages.push(message(next));
    await producer.send({ topic, messages });
  }
}
const cpuBefore = cpuUs(process.pid);
const startedMs = performance.now();
await Promise.all(Array.from({ length: Number(concurrentText) }, sendOn));
const elapsedMs = performance.now() - startedMs;
const used = { elapsedMs, cpuUs: cpuUs(process.pid) - cpuBefore, peakMb: peakRssMb(process.pid) };
await producer.disconnect();
process.stdout.write(`${JSON.stringify(used)}\n`);
