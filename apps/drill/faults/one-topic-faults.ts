/** One of two topics is ill: its rows wait, in their order, and those of the other flow. */
import { systemClock } from '#runtime';
import { until } from '#testkit';
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { flowed, flowWhile } from '../flow.ts';
import { countRecords } from '../follow-topic.ts';
import { createTopic, deleteTopic, denyWrite } from '../kafka-admin.ts';
import { setTopicConfig } from '../kafka-config.ts';
import { freshKey, insertRows } from '../own-rows.ts';
import type { Scene } from '../scene.ts';

const PARTITIONS = 6;
/** Past the transaction timeout of every scene, so that nothing that was under way is open any more. */
const STILL_MS = 12_000;
const CAUGHT_UP_DEADLINE_MS = 60_000;
const ILL_FROM_S = [0, 4] as const;
/** Below every row, above the end of a transaction, which a broker must be able to write all the same. */
const NOTHING_FITS_BYTES = '120';
/** Above every row of the load and below those that are to be refused. */
const SMALL_FITS_BYTES = '10000';
const LARGE_ROWS = 120;
const LARGE_BYTES = 60_000;
const LOAD_NOTE_AHEAD_MS = 1_000;

export const someTopic = (scene: Scene): string => scene.chance.pick(scene.topics.slice(0, 2));

/** While the topic is ill a sender may be killed, so that another takes its lanes over without it. */
export async function oneTopicIll(scene: Scene, topic: string, heal: () => Promise<unknown>): Promise<Injection> {
  const killed = scene.chance.happens(0.5) ? scene.chance.pick(scene.senders()) : null;
  await systemClock.sleep(scene.chance.integer(...ILL_FROM_S) * 1_000);
  await killed?.kill();
  const plan = { what: `rows of other topics than ${topic}`, healthy: (key: string) => scene.topicOf(key) !== topic };
  const flowedMs = await flowWhile(scene, plan, heal);
  const detail = `${topic}; ${killed === null ? '' : `${killed.name} killed; `}${flowed(flowedMs)}`;
  return { detail, kills: killed === null ? 0 : 1, flowedMs };
}

/** The topic's setting, and the broker's own again. */
async function configured(scene: Scene, configs: Readonly<Record<string, string>>): Promise<Injection> {
  const topic = someTopic(scene);
  await setTopicConfig(scene.servers, topic, configs);
  const before = Object.fromEntries(Object.keys(configs).map((name) => [name, null]));
  return oneTopicIll(scene, topic, () => setTopicConfig(scene.servers, topic, before));
}

async function denied(scene: Scene): Promise<Injection> {
  const topic = someTopic(scene);
  return oneTopicIll(scene, topic, await denyWrite(scene.servers, 'topic', topic));
}

/** Nobody may write to it until all that is in it was read: what is deleted was seen. */
async function deleted(scene: Scene): Promise<Injection> {
  const { servers, deployment } = scene;
  const topic = someTopic(scene);
  const allow = await denyWrite(servers, 'topic', topic);
  try {
    await systemClock.sleep(STILL_MS);
    const caughtUp = async () => scene.reader.count(topic) === (await countRecords(deployment.env, [topic]));
    await until('the reader to be at the end of the topic', caughtUp, CAUGHT_UP_DEADLINE_MS);
    await deleteTopic(servers, topic);
  } finally {
    await allow();
  }
  return oneTopicIll(scene, topic, async () => {
    await createTopic(servers, topic, PARTITIONS);
    await scene.readAfresh(topic);
  });
}

/** Rows name a topic that nobody has made yet. */
async function unknown(scene: Scene): Promise<Injection> {
  const key = freshKey('unknown');
  const topic = `${scene.deployment.name}.${key}`;
  await insertRows(
    scene,
    [1, 2, 3].map((sequence) => ({ key, sequence, note: 'ahead of its topic', aim: topic })),
  );
  await systemClock.sleep(LOAD_NOTE_AHEAD_MS);
  return oneTopicIll(scene, topic, async () => {
    await createTopic(scene.servers, topic, PARTITIONS);
    scene.addTopic(topic);
  });
}

/** Rows that the topic does not take, among those that it does: these flow, too. */
async function largeRows(scene: Scene): Promise<Injection> {
  const topic = someTopic(scene);
  await setTopicConfig(scene.servers, topic, { 'max.message.bytes': SMALL_FITS_BYTES });
  const note = 'L'.repeat(LARGE_BYTES);
  const keys = Array.from({ length: 20 }, () => freshKey('heavy'));
  const rows = Array.from({ length: LARGE_ROWS }, (_, index) => ({
    ...{ key: keys[index % keys.length] as string, sequence: Math.floor(index / keys.length) + 1, note, aim: topic },
  }));
  await insertRows(scene, rows);
  const heal = () => setTopicConfig(scene.servers, topic, { 'max.message.bytes': null });
  const flowedMs = await flowWhile(scene, { what: 'rows that their topics take' }, heal);
  return { detail: `${LARGE_ROWS} rows of ${LARGE_BYTES} bytes for ${topic}; ${flowed(flowedMs)}`, flowedMs };
}

const common = { targets: ALL_TARGETS } as const;

export const ONE_TOPIC_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'one-topic-denied',
    what: 'The right to write to one of two topics is taken away and given back.',
    expected: 'Rows of the other topic flow, also after a take-over; those of the denied one wait, in their order.',
    inject: denied,
  },
  {
    ...common,
    name: 'one-topic-in-sync-lost',
    what: 'min.insync.replicas of one of two topics is above its replicas for some seconds.',
    expected: 'Rows of the other topic flow, also after a take-over; nothing of the ill one is given up.',
    inject: (scene) => configured(scene, { 'min.insync.replicas': '3' }),
  },
  {
    ...common,
    name: 'one-topic-unknown',
    what: 'Rows name a topic that is not there and that no broker makes by itself; it is made some seconds later.',
    expected: 'All other rows flow; those of the topic arrive once it is there.',
    inject: unknown,
  },
  {
    ...common,
    name: 'one-topic-deleted',
    what: 'One of two topics is deleted while rows wait for it, and made again some seconds later by hand.',
    expected: 'Rows of the other topic flow, also after a take-over; those of the deleted one arrive in the new one.',
    stage: 'alone',
    inject: deleted,
  },
  {
    ...common,
    name: 'one-topic-limit-lowered',
    what: 'max.message.bytes of one of two topics is below every row for some seconds, and many retries are allowed.',
    expected: 'Rows of the other topic flow; those refused are tried again until they fit, in the order of their keys.',
    stage: 'patient',
    inject: (scene) => configured(scene, { 'max.message.bytes': NOTHING_FITS_BYTES }),
  },
  {
    ...common,
    name: 'one-topic-large-rows',
    what: `${LARGE_ROWS} rows that are too large for their topic, among others that it takes; then the limit is raised.`,
    expected:
      'All that is small enough flows, to both topics; the large ones arrive when they fit, in the order of their keys.',
    stage: 'patient',
    inject: largeRows,
  },
];
