/** A broker that answers is not yet one that takes transactions: its internal topics are made on first use. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { testKafka } from './kafka-client.ts';
import { uniqueName } from './unique-name.ts';

const CONNECT_DEADLINE_MS = 1_000;
const RETRY_PAUSE_MS = 100;
const COORDINATORS = 8;

/** One connection to the broker's port; kafkajs is too chatty for a probe in a loop. */
export async function answersKafka(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, signal: AbortSignal.timeout(CONNECT_DEADLINE_MS) });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

/** Runs one whole transaction with offsets, and finds the coordinator of every partition of the offsets topic. */
export async function warmUpKafka(bootstrap: string, nodes: number, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      await attempt(testKafka(bootstrap), nodes);
      return;
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`Kafka at ${bootstrap} takes no transactions`, { cause: error });
    }
    await sleep(RETRY_PAUSE_MS);
  }
}

async function attempt(kafka: Kafka, nodes: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  const topic = uniqueName('krs-warm-up');
  try {
    const { brokers } = await admin.describeCluster();
    if (brokers.length < nodes) throw new Error(`${brokers.length} of ${nodes} brokers are there`);
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
    await transact(kafka, topic);
    // Groups spread over the partitions by their name; each first look-up waits until its partition is loaded.
    const groups = Array.from({ length: COORDINATORS }, (_, index) => `${topic}-${index}`);
    await Promise.all(groups.map((groupId) => admin.fetchOffsets({ groupId, topics: [topic] })));
    await admin.deleteGroups([topic]);
    await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.disconnect();
  }
}

async function transact(kafka: Kafka, topic: string): Promise<void> {
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: 'warm' }] });
    const offsets = [{ partition: 0, offset: '1' }];
    await transaction.sendOffsets({ consumerGroupId: topic, topics: [{ topic, partitions: offsets }] });
    await transaction.commit();
  } finally {
    await producer.disconnect();
  }
}
