/** Asks topics and brokers what they take, and says which records would be refused for their size before they are sent. */
import type { DeliveryRecord } from '#outbox';
import type { Brokers } from './brokers.ts';
import { CODE } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { pickPartition } from './partitioner.ts';
import { bytesAbove } from './record-bytes.ts';
import { SizeBook } from './size-book.ts';
import type { TopicViews } from './topic-views.ts';
import { type ConfigResource, describeConfigs } from './wire/inspect-requests.ts';

const TOPIC_LIMIT = 'max.message.bytes';
const BROKER_LIMIT = 'socket.request.max.bytes';
/** Smaller records are not looked at: a topic that takes less than this refuses them, which tells the same. */
const LOOKED_AT_BYTES = 4_096;
/** What a request has around its batch, at least: its header, the names of client, producer and topic. */
export const REQUEST_OVERHEAD_BYTES = 64;
/** The same, at most: names of usual length. */
export const REQUEST_ROOM_BYTES = 1_024;

/** What is known of sizes, for all sessions of a port. */
export interface SizeLore {
  readonly topics: SizeBook;
  /** By `host:port`. */
  readonly brokers: SizeBook;
}

export const newSizeLore = ({ clock }: Pick<KafkaSettings, 'clock'>): SizeLore => ({
  topics: new SizeBook(clock),
  brokers: new SizeBook(clock),
});

export interface SizeLimits {
  /** Asks these nodes what they take, where that is not known. True: at least one has told. Never rejects: one that is away says nothing. */
  loadBrokers(nodeIds: Iterable<number>, hit?: boolean): Promise<boolean>;
  /** Bytes of a request that the node takes; null: not known. */
  ofBroker(nodeId: number): number | null;
  /** The least of all nodes that told. */
  leastOfBrokers(): number | null;
  /** As the session's. */
  misfits(records: readonly DeliveryRecord[]): Promise<ReadonlyMap<DeliveryRecord, string>>;
}

const NONE: ReadonlyMap<DeliveryRecord, string> = new Map();

export const bareBytes = ({ key, value, valueBytes }: DeliveryRecord): number =>
  (key?.length ?? 0) + (value?.length ?? valueBytes ?? 0);

export function createSizeLimits(
  brokers: Brokers,
  settings: KafkaSettings,
  views: TopicViews,
  lore: SizeLore,
  onTopicTold: (topic: string, messageBytesMax: number) => void,
): SizeLimits {
  const names = new Map<number, string>();

  async function ask(nodeId: number | null, resources: readonly ConfigResource[], name: string) {
    const link = await (nodeId === null ? brokers.any() : brokers.node(nodeId));
    const described = await link.ask(describeConfigs(resources, [name]));
    return new Map(
      described.map(({ name: resource, code, values }) => {
        const bytes = Number(code === CODE.none ? values.get(name) : Number.NaN);
        return [resource, bytes > 0 ? bytes : null] as const;
      }),
    );
  }

  async function loadTopics(topics: ReadonlySet<string>, hit: boolean): Promise<void> {
    const due = [...topics].filter((topic) => lore.topics.isDue(topic, hit));
    if (due.length === 0) return;
    const told = await ask(null, due.map((name) => ({ kind: 'topic', name })), TOPIC_LIMIT); // biome-ignore format: one line
    for (const topic of due) {
      const bytesMax = told.get(topic) ?? null;
      lore.topics.told(topic, bytesMax);
      if (bytesMax !== null) onTopicTold(topic, bytesMax);
    }
  }

  async function loadBroker(nodeId: number, hit: boolean): Promise<boolean> {
    try {
      const { host, port } = await brokers.node(nodeId);
      const name = `${host}:${port}`;
      names.set(nodeId, name);
      if (!lore.brokers.isDue(name, hit)) return false;
      const told = await ask(nodeId, [{ kind: 'broker', name: String(nodeId) }], BROKER_LIMIT);
      lore.brokers.told(name, told.get(String(nodeId)) ?? null);
      return true;
    } catch {
      // Whoever sends to it finds out what is wrong with it, and says so.
      return false;
    }
  }

  const loadBrokers: SizeLimits['loadBrokers'] = async (nodeIds, hit = false) => {
    const told = await Promise.all([...nodeIds].map((nodeId) => loadBroker(nodeId, hit)));
    return told.includes(true);
  };

  const ofBroker = (nodeId: number): number | null => {
    const name = names.get(nodeId);
    return name === undefined ? null : lore.brokers.of(name);
  };

  async function judge(records: readonly DeliveryRecord[]): Promise<Map<DeliveryRecord, string>> {
    const found = new Map<DeliveryRecord, string>();
    for (const record of records) {
      const { topic } = record;
      const leader = leaderOf(record);
      const topicMax = lore.topics.of(topic) ?? Number.POSITIVE_INFINITY;
      const requestMax = (leader === null ? null : ofBroker(leader)) ?? Number.POSITIVE_INFINITY;
      const batchMax = Math.min(topicMax, requestMax - REQUEST_OVERHEAD_BYTES);
      const bytes = await bytesAbove(batchMax, record, settings);
      if (bytes === null) continue;
      const why =
        bytes > topicMax
          ? `topic ${topic} takes at most ${topicMax} bytes (${TOPIC_LIMIT}): raise it, or set OVERSIZE=chunk`
          : `broker ${leader} takes requests of at most ${requestMax} bytes (${BROKER_LIMIT}): raise it, which restarts the broker, or set OVERSIZE=chunk`;
      found.set(record, why);
    }
    return found;
  }

  let leaders: ReadonlyMap<string, readonly number[]> = new Map();

  function leaderOf({ topic, key, spread }: DeliveryRecord): number | null {
    const nodes = leaders.get(topic);
    if (nodes === undefined || nodes.length === 0) return null;
    return nodes[pickPartition(settings.partitioner, key, spread, nodes.length)] ?? null;
  }

  async function misfits(records: readonly DeliveryRecord[]): Promise<ReadonlyMap<DeliveryRecord, string>> {
    // What is cut into chunks fits, but for keys and headers that leave no room; and those are refused.
    if (settings.chunkOversized) return NONE;
    const large = records.filter((record) => bareBytes(record) >= LOOKED_AT_BYTES);
    if (large.length === 0) return NONE;
    const topics = new Set(large.map(({ topic }) => topic));
    try {
      leaders = await views.load(topics);
      await loadTopics(topics, false);
      const nodes = new Set(large.map(leaderOf).filter((node) => node !== null && node >= 0) as number[]);
      await loadBrokers(nodes);
      const found = await judge(large);
      if (found.size === 0) return NONE;
      // Somebody may have raised the limit since it was asked for.
      await loadTopics(new Set([...found.keys()].map(({ topic }) => topic)), true);
      await loadBrokers(new Set([...found.keys()].map(leaderOf).filter((node) => node !== null) as number[]), true);
      return judge([...found.keys()]);
    } catch {
      // The transaction meets the same fault, and says what it means.
      return NONE;
    }
  }

  const leastOfBrokers = (): number | null => {
    const told = [...names.keys()].map(ofBroker).filter((bytes) => bytes !== null);
    return told.length === 0 ? null : Math.min(...told);
  };

  return { loadBrokers, ofBroker, leastOfBrokers, misfits };
}

