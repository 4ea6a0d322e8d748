/** Topics for `init`, `doctor` and tests: made, grown, described, deleted; never behind anybody's back. */
import { RelayError, withDeadline } from '#runtime';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { markerTopic } from './kafka-options.ts';
import { LATEST, listOffsets, type TopicDescription } from './wire/cluster-requests.ts';
import type { WireRequest } from './wire/request.ts';
import { createTopics, deleteTopics, growTopic, type NewTopic } from './wire/topic-requests.ts';

export interface TopicAdmin {
  /** Makes the marker topic with a partition for each lane, or grows it. Rejects with the fault table's codes. */
  createMarkerTopic(partitions: number): Promise<'created' | 'grown' | 'there'>;
  /** `there` whatever its partition count: an operator's topic is not changed. */
  ensureTopic(topic: string, partitions?: number): Promise<'created' | 'there'>;
  /** Partition counts; null where the topic does not exist. */
  describeTopics(topics: readonly string[]): Promise<ReadonlyMap<string, number | null>>;
  /** Names of the topics that begin so, sorted. */
  listTopics(prefix: string): Promise<readonly string[]>;
  deleteTopics(topics: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const DEADLINE_MS = 30_000;
const VISIBLE_POLLS_MAX = 100;
const VISIBLE_POLL_MS = 50;
/** Nothing is ever written to the marker topic: small segments, and deletion of nothing. */
const MARKER_TOPIC_CONFIG = { 'cleanup.policy': 'compact' };

type TopicCodes = readonly { readonly topic: string; readonly code: number }[];

async function controllerOf(brokers: Brokers): Promise<BrokerLink> {
  const { controller } = await brokers.describe([]);
  return controller < 0 ? brokers.any() : brokers.node(controller);
}

async function change(brokers: Brokers, request: WireRequest<TopicCodes>): Promise<TopicCodes> {
  try {
    return await (await controllerOf(brokers)).ask(request);
  } catch (error) {
    throw faultOfThrown(error, { step: 'admin', api: request.name });
  }
}

function throwUnless(allowed: readonly number[], codes: TopicCodes): void {
  const bad = codes.find(({ code }) => !allowed.includes(code));
  if (bad) throw faultOfCode(bad.code, { step: 'admin', topic: bad.topic });
}

async function countPartitions(brokers: Brokers, topics: readonly string[]): Promise<Map<string, number | null>> {
  if (topics.length === 0) return new Map();
  const described = await brokers.describe(topics);
  const counts = new Map<string, number | null>();
  for (const { topic, code, partitions } of described.topics) {
    if (code !== CODE.none && code !== CODE.unknownTopic) throw faultOfCode(code, { step: 'metadata', topic });
    counts.set(topic, code === CODE.none ? partitions.length : null);
  }
  return counts;
}

/** Whether every leader knows that it leads: for a moment after the metadata names it, it refuses records. */
async function isLed(brokers: Brokers, { topic, partitions }: TopicDescription): Promise<boolean> {
  for (const { partition, leader } of partitions) {
    if (leader < 0) return false;
    const answers = await (await brokers.node(leader)).ask(listOffsets(topic, [partition], LATEST));
    if (answers.some(({ code }) => code !== CODE.none)) return false;
  }
  return true;
}

/** Kafka names metrics after topics with `_` for each dot, so that it takes only one topic of each such name. */
async function nameFault(brokers: Brokers, topic: string): Promise<RelayError> {
  const inMetrics = (name: string) => name.replaceAll('.', '_');
  const { topics } = await brokers.describe(null);
  const other = topics.find((each) => each.topic !== topic && inMetrics(each.topic) === inMetrics(topic))?.topic;
  const fault = faultOfCode(CODE.invalidTopic, { step: 'admin', topic });
  if (other === undefined) return fault;
  const why = `topic ${other} is there, and Kafka takes . and _ for the same: use that one, or choose a name that differs elsewhere`;
  return new RelayError('CONFIG_INVALID', `${fault.message}: ${why}`, { details: { ...fault.details, other } });
}

/** 0, or that it is there already. */
async function make(brokers: Brokers, topic: NewTopic): Promise<number> {
  const codes = await change(brokers, createTopics([topic]));
  if (codes.some(({ code }) => code === CODE.invalidTopic)) throw await nameFault(brokers, topic.topic);
  throwUnless([CODE.none, CODE.topicExists], codes);
  return codes[0]?.code ?? CODE.none;
}

export function createTopicAdmin(connection: KafkaConnection): TopicAdmin {
  const { settings } = connection;
  const brokers = connection.brokers();

  /** Brokers learn of a change a moment after the controller made it. */
  async function waitFor(topic: string, done: (partitions: number | null) => boolean): Promise<void> {
    for (let poll = 0; poll < VISIBLE_POLLS_MAX; poll += 1) {
      const { topics } = await brokers.describe([topic]);
      const found = topics.find((each) => each.topic === topic);
      const partitions = found?.code === CODE.none ? found.partitions.length : null;
      if (done(partitions) && (!found || partitions === null || (await isLed(brokers, found)))) return;
      await settings.clock.sleep(VISIBLE_POLL_MS);
    }
    throw new RelayError('KAFKA_UNREACHABLE', `topic ${topic} did not change in time`, {
      details: { topic },
    });
  }

  async function create(topic: NewTopic): Promise<'created' | 'there'> {
    if ((await make(brokers, topic)) === CODE.topicExists) return 'there';
    await waitFor(topic.topic, (partitions) => partitions !== null);
    return 'created';
  }

  async function createMarkerTopic(partitions: number): Promise<'created' | 'grown' | 'there'> {
    const topic = markerTopic(settings.prefix);
    const count = async () => (await countPartitions(brokers, [topic])).get(topic) ?? 0;
    // Looked at first: an administrator may have made it for a user who may not make topics.
    if ((await count()) >= partitions) return 'there';
    const made = await create({ topic, partitions, replicationFactor: -1, config: MARKER_TOPIC_CONFIG });
    if (made === 'created') return made;
    if ((await count()) >= partitions) return 'there';
    throwUnless([CODE.none], await change(brokers, growTopic(topic, partitions)));
    await waitFor(topic, (now) => (now ?? 0) >= partitions);
    return 'grown';
  }

  const within = <T>(work: Promise<T>, what: string): Promise<T> =>
    withDeadline(work, DEADLINE_MS, what).catch((error) => {
      throw faultOfThrown(error, { step: 'admin' });
    });

  return {
    createMarkerTopic: (partitions) => within(createMarkerTopic(partitions), 'making the marker topic'),
    ensureTopic: (topic, partitions = -1) =>
      within(create({ topic, partitions, replicationFactor: -1, config: {} }), 'making a topic'),
    describeTopics: (topics) => within(countPartitions(brokers, topics), 'describing topics'),
    listTopics: (prefix) =>
      within(
        brokers.describe(null).then(({ topics }) =>
          topics
            .filter(({ topic, code }) => code === CODE.none && topic.startsWith(prefix))
            .map(({ topic }) => topic)
            .sort(),
        ),
        'listing topics',
      ),
    deleteTopics: (topics) =>
      within(
        (async () => {
          throwUnless([CODE.none, CODE.unknownTopic], await change(brokers, deleteTopics(topics)));
          for (const topic of topics) await waitFor(topic, (partitions) => partitions === null);
        })(),
        'deleting topics',
      ),
    close: () => brokers.close(),
  };
}
