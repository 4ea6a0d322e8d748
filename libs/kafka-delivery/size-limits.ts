/** Asks topics and brokers what they take, and says which records would be refused for their size before they are sent. */
import type { DeliveryRecord } from '#outbox';
import type { BrokerLink } from './broker-link.ts';
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

const NO_NODE = -1;

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

const NONE: ReadonlyMap<DeliveryRecord, string> = new Map();

const bareBytes = ({ key, value, valueBytes }: DeliveryRecord): number =>
  (key?.length ?? 0) + (value?.length ?? valueBytes ?? 0);

export interface SizeLimitsParts {
  readonly brokers: Brokers;
  readonly settings: KafkaSettings;
  readonly views: TopicViews;
  readonly lore: SizeLore;
  readonly onTopicTold: (topic: string, messageBytesMax: number) => void;
}

/** The limits as one session sees them. */
export class SizeLimits {
  readonly #parts: SizeLimitsParts;
  /** Addresses of nodes that were asked. */
  readonly #names = new Map<number, string>();

  constructor(parts: SizeLimitsParts) {
    this.#parts = parts;
  }

  /**
   * Asks these nodes what they take, where that is not known, or no longer fresh; `hit`: something does not fit. True: at least one
   * has told. Never rejects: whoever sends to a node that is away finds that out, and says so.
   */
  async loadBrokers(nodeIds: Iterable<number>, hit = false): Promise<boolean> {
    const told = await Promise.all([...nodeIds].map((nodeId) => this.#loadBroker(nodeId, hit).catch(() => false)));
    return told.includes(true);
  }

  /** The least that one of the nodes takes in a request; null: none has told. */
  leastOfBrokers(): number | null {
    const told = [...this.#names.keys()].map((nodeId) => this.#ofBroker(nodeId)).filter((bytes) => bytes !== null);
    return told.length === 0 ? null : Math.min(...told);
  }

  /** As the session's. Never rejects: the transaction meets the same fault, and says what it means. */
  async misfits(records: readonly DeliveryRecord[]): Promise<ReadonlyMap<DeliveryRecord, string>> {
    // What is cut into chunks fits, but for keys and headers that leave no room; and those are refused.
    if (this.#parts.settings.chunkOversized) return NONE;
    const large = records.filter((record) => bareBytes(record) >= LOOKED_AT_BYTES);
    if (large.length === 0) return NONE;
    try {
      const found = await this.#judge(large, false);
      // Somebody may have raised the limit since it was asked for.
      return found.size === 0 ? NONE : await this.#judge([...found.keys()], true);
    } catch {
      return NONE;
    }
  }

  async #judge(records: readonly DeliveryRecord[], hit: boolean): Promise<Map<DeliveryRecord, string>> {
    const topics = new Set(records.map(({ topic }) => topic));
    const leaders = await this.#parts.views.load(topics);
    const leaderOf = ({ topic, key, spread }: DeliveryRecord): number => {
      const nodes = leaders.get(topic) ?? [];
      if (nodes.length === 0) return NO_NODE;
      return nodes[pickPartition(this.#parts.settings.partitioner, key, spread, nodes.length)] ?? NO_NODE;
    };
    await this.#loadTopics(topics, hit);
    await this.loadBrokers(new Set(records.map(leaderOf).filter((node) => node !== NO_NODE)), hit);
    const found = new Map<DeliveryRecord, string>();
    for (const record of records) {
      const why = await this.#misfit(record, leaderOf(record));
      if (why !== null) found.set(record, why);
    }
    return found;
  }

  async #misfit(record: DeliveryRecord, leader: number): Promise<string | null> {
    const { lore, settings } = this.#parts;
    const { topic } = record;
    const topicMax = lore.topics.of(topic) ?? Number.POSITIVE_INFINITY;
    const requestMax = this.#ofBroker(leader) ?? Number.POSITIVE_INFINITY;
    const bytes = await bytesAbove(Math.min(topicMax, requestMax - REQUEST_OVERHEAD_BYTES), record, settings);
    if (bytes === null) return null;
    if (bytes > topicMax) {
      return `topic ${topic} takes at most ${topicMax} bytes (${TOPIC_LIMIT}): raise it, or set OVERSIZE=chunk`;
    }
    return `broker ${leader} takes requests of at most ${requestMax} bytes (${BROKER_LIMIT}): raise it, which restarts the broker, or set OVERSIZE=chunk`;
  }

  #ofBroker(nodeId: number): number | null {
    const name = this.#names.get(nodeId);
    return name === undefined ? null : this.#parts.lore.brokers.of(name);
  }

  async #loadTopics(topics: ReadonlySet<string>, hit: boolean): Promise<void> {
    const { brokers, lore, onTopicTold } = this.#parts;
    const due = [...topics].filter((topic) => lore.topics.isDue(topic, hit));
    if (due.length === 0) return;
    const resources = due.map((name) => ({ kind: 'topic', name }) as const);
    const told = await ask(await brokers.any(), resources, TOPIC_LIMIT);
    for (const topic of due) {
      const bytesMax = told.get(topic) ?? null;
      lore.topics.told(topic, bytesMax);
      if (bytesMax !== null) onTopicTold(topic, bytesMax);
    }
  }

  async #loadBroker(nodeId: number, hit: boolean): Promise<boolean> {
    const { brokers, lore } = this.#parts;
    const link = await brokers.node(nodeId);
    const name = `${link.host}:${link.port}`;
    this.#names.set(nodeId, name);
    if (!lore.brokers.isDue(name, hit)) return false;
    const told = await ask(link, [{ kind: 'broker', name: String(nodeId) }], BROKER_LIMIT);
    lore.brokers.told(name, told.get(String(nodeId)) ?? null);
    return true;
  }
}

/** Null where we may not ask. */
async function ask(link: BrokerLink, resources: readonly ConfigResource[], setting: string) {
  const described = await link.ask(describeConfigs(resources, [setting]));
  return new Map(
    described.map(({ name, code, values }) => {
      const bytes = Number(code === CODE.none ? values.get(setting) : Number.NaN);
      return [name, bytes > 0 ? bytes : null] as const;
    }),
  );
}
