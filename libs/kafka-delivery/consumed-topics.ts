/**
 * kafkajs 2.2.4's consumer knows topics by name only. Where a topic is deleted and made anew under its name, it goes on
 * at the offset of the old topic, and never reads what lies before it in the new one. Here it is given ids (KIP-516):
 * - metadata is asked with ids. A topic that is missing has no partitions, and does not fail the topics beside it;
 * - a committed offset has the id of its topic beside it (topic-note.ts): one of another topic is replaced by 0;
 * - records are fetched by id. An answer is of the topic that the offset belongs to, or it is none.
 * Brokers before 3.1 fetch by name, and are asked for the ids after each answer; brokers before 2.8 have no ids.
 */
import { systemClock, withDeadline } from '#runtime';
import { askKafkajsBroker, knownTopics, speaks } from './ask-kafkajs-broker.ts';
import { ConsumerFetch, type FetchAnswer, type FetchHooks, type FetchRequest } from './consumer-fetch.ts';
import { CODE } from './fault-table.ts';
import { type Broker, createErrorFromCode } from './kafkajs.ts';
import { type Committed, TopicPositions } from './topic-positions.ts';
import { LATEST, listOffsets } from './wire/cluster-requests.ts';
import { describeTopicIds, type IdentifiedCluster, METADATA_WITH_IDS } from './wire/topic-id-requests.ts';

interface OffsetAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; offset: string; readonly metadata: string | null }[];
  }[];
}

interface MetadataAnswer {
  readonly topicMetadata: readonly { readonly topic: string; readonly partitionMetadata: readonly unknown[] }[];
}

/** What is mended of a broker of kafkajs. */
export interface ConsumerRequests {
  metadata(topics?: readonly string[]): Promise<MetadataAnswer>;
  offsetFetch(request: object): Promise<OffsetAnswer>;
  fetch(request: FetchRequest): Promise<FetchAnswer>;
}

export interface ConsumerCluster {
  readonly targetTopics: ReadonlySet<string>;
  readonly brokerPool: {
    findConnectedBroker(): Promise<Broker>;
    findBroker(which: { readonly nodeId: number }): Promise<Broker>;
  };
  refreshMetadata(): Promise<void>;
}

export interface TopicHooks extends Pick<FetchHooks, 'onUnreadable' | 'onRead'> {
  /** The topic is another one than the group's offset is of, and is read from its beginning. Once for each topic made anew. */
  onMadeAnew(facts: { readonly topic: string; readonly topicId: string; readonly committed: number }): void;
  /** The group has no offset for the partition: it begins where the consumer is told to begin. */
  onNoOffset?(topic: string, partition: number): void;
  /** The position is not in the log; `start` is where the log begins. */
  onOutOfRange(topic: string, partition: number, start: number): void;
}

/** Brokers asked before a topic counts as made anew. */
const WITNESSES_MAX = 3;
const WITNESS_DEADLINE_MS = 3_000;
const DISAGREED_PAUSE_MS = 500;

/** Whether what brokers answered proves the id: all gave it, and they are two, or all that live. */
export const isOneTopic = (id: string, answers: readonly (string | null)[], living: number): boolean =>
  id !== '' && living > 0 && answers.length >= Math.min(2, living) && answers.every((answer) => answer === id);

const TOPIC_REFUSED = 29;
/** Of one topic: it has no partitions in the answer, and the others go on. */
const OF_A_TOPIC: readonly number[] = [CODE.none, CODE.unknownTopic, TOPIC_REFUSED];
/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: the partition is not fetched, and the others are. */
const OF_A_PARTITION: readonly number[] = [CODE.none, 5, 9, 72];

/** In the shape that kafkajs keeps. Throws as kafkajs does, but not for what is wrong with one topic or partition alone. */
function toMetadata({ brokers, clusterId, controllerId, topics }: IdentifiedCluster): MetadataAnswer {
  const ofTopics = topics.map(({ code }) => code).find((code) => !OF_A_TOPIC.includes(code));
  const ofPartitions = topics.flatMap(({ partitions }) => partitions.map(({ code }) => code));
  const fault = ofTopics ?? ofPartitions.find((code) => !OF_A_PARTITION.includes(code));
  if (fault !== undefined) throw createErrorFromCode(fault);
  const topicMetadata = topics.map(({ topic, partitions }) => ({
    topicErrorCode: 0,
    topic,
    isInternal: false,
    partitionMetadata: partitions.map(({ partition, leader, replicas, inSync, offline }) => ({
      partitionErrorCode: 0,
      partitionId: partition,
      leader,
      replicas,
      isr: inSync,
      offlineReplicas: offline,
    })),
  }));
  return { brokers, clusterId, controllerId, topicMetadata } as MetadataAnswer;
}

/** `missing`: it does not exist. `refused`: the right to describe it is missing. */
export interface TopicTrouble {
  readonly kind: 'missing' | 'refused' | 'leaderless';
  readonly leaderless: readonly number[];
}

function troublesOf({ topics }: IdentifiedCluster): Map<string, TopicTrouble> {
  const troubles = new Map<string, TopicTrouble>();
  for (const { topic, code, partitions } of topics) {
    const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partition }) => partition);
    if (code === CODE.unknownTopic) troubles.set(topic, { kind: 'missing', leaderless });
    else if (code === TOPIC_REFUSED) troubles.set(topic, { kind: 'refused', leaderless });
    else if (leaderless.length > 0) troubles.set(topic, { kind: 'leaderless', leaderless });
  }
  return troubles;
}

export class ConsumedTopics {
  readonly #positions = new TopicPositions();
  readonly #hooks: TopicHooks;
  readonly #wantRound: () => void;
  readonly #fetch: ConsumerFetch;
  readonly #leaders = new Map<string, readonly number[]>();
  readonly #announced = new Map<string, string>();
  #cluster: ConsumerCluster | null = null;
  #suspects = '';

  /** `wantRound`: makes the consumer join its group anew, which places all offsets again. */
  constructor(hooks: TopicHooks, wantRound: () => void) {
    this.#hooks = hooks;
    this.#wantRound = wantRound;
    this.#fetch = new ConsumerFetch(this.#positions, {
      onGone: wantRound,
      onOutOfRange: hooks.onOutOfRange,
      onUnreadable: (topic, partition, fault) => hooks.onUnreadable?.(topic, partition, fault),
      onRead: (read) => hooks.onRead?.(read),
      refresh: () => this.#refresh(),
    });
  }

  use(cluster: ConsumerCluster): void {
    this.#cluster = cluster;
  }

  /** Whether an offset that the group has committed is of another topic than the one that is read now. */
  isStale(topic: string, partition: number, committed: Committed): boolean {
    return this.#positions.isStale(topic, partition, committed);
  }

  /** Whether the partition was placed at the beginning, whatever the group had committed. */
  hasBegunAnew(topic: string, partition: number): boolean {
    return this.#positions.hasBegunAnew(topic, partition);
  }

  /** Undefined between two rounds of the group. */
  topicIdOf(topic: string, partition: number): string | null | undefined {
    return this.#positions.topicIdOf(topic, partition);
  }

  /** Before the group is joined. A follower of the group would go on with the metadata of the last round otherwise. */
  async beginRound(): Promise<void> {
    await this.#refresh();
    this.#positions.beginRound();
  }

  /** Where nobody answers, what comes next fails as well, and is tried again. */
  async #refresh(): Promise<void> {
    await this.#cluster?.refreshMetadata().catch(() => undefined);
  }

  /**
   * What is wrong with the consumed topics and with `others`, by topic; null where brokers cannot be asked that. Wants a new round
   * when a consumed topic has changed and two answers in a row say so (a broker that lags behind may know the old one only), and
   * when a partition has a leader again: offsets were placed without one.
   */
  async check(others: readonly string[]): Promise<ReadonlyMap<string, TopicTrouble> | null> {
    if (this.#cluster === null) return null;
    const consumed = [...this.#cluster.targetTopics];
    const broker = await this.#cluster.brokerPool.findConnectedBroker();
    if (!speaks(broker, METADATA_WITH_IDS)) return null;
    const names = [...new Set([...consumed, ...others])];
    const found = await askKafkajsBroker(broker, describeTopicIds(names));
    if (found.topics.some(({ code }) => !OF_A_TOPIC.includes(code))) return null;
    const known = knownTopics(found);
    const changed = this.#positions.changedSince(consumed, known);
    const suspects = JSON.stringify(known.filter(({ topic }) => changed.includes(topic)));
    const isLedAgain = found.topics.some(({ topic, partitions }) =>
      partitions.some(({ partition, leader }) => leader >= 0 && this.#isLeaderless(topic, partition)),
    );
    if (isLedAgain || (changed.length > 0 && suspects === this.#suspects)) this.#wantRound();
    this.#suspects = changed.length > 0 ? suspects : '';
    return troublesOf(found);
  }

  /** As the metadata says that kafkajs has. */
  #isLeaderless(topic: string, partition: number): boolean {
    return (this.#leaders.get(topic)?.[partition] ?? 0) < 0;
  }

  mend(broker: Broker & ConsumerRequests): ConsumerRequests {
    const metadata = broker.metadata.bind(broker);
    const offsetFetch = broker.offsetFetch.bind(broker);
    return {
      metadata: (topics = []) => this.#metadata(broker, metadata, topics),
      offsetFetch: async (request) => {
        const answer = await offsetFetch(request);
        const agreed = new Map<string, Promise<boolean>>();
        for (const { topic, partitions } of answer.responses) {
          for (const place of partitions) await this.#place(topic, place, agreed);
        }
        return answer;
      },
      fetch: (request) => this.#fetch.fetch(broker, request),
    };
  }

  async #metadata(broker: Broker, byName: ConsumerRequests['metadata'], topics: readonly string[]) {
    if (topics.length === 0) return await byName(topics);
    if (!speaks(broker, METADATA_WITH_IDS)) {
      const answer = await byName(topics);
      const known = answer.topicMetadata.map(({ topic, partitionMetadata }) => ({
        topic,
        id: null,
        partitions: partitionMetadata.length,
      }));
      this.#positions.learn(topics, known);
      return answer;
    }
    const found = await askKafkajsBroker(broker, describeTopicIds(topics));
    const answer = toMetadata(found);
    this.#positions.learn(topics, knownTopics(found));
    for (const { topic, partitions } of found.topics) {
      const leaders: number[] = [];
      for (const { partition, leader } of partitions) leaders[partition] = leader;
      this.#leaders.set(topic, leaders);
    }
    return answer;
  }

  /** `agreed`: what was found out about each topic for the same answer. */
  async #place(
    topic: string,
    place: { readonly partition: number; offset: string; readonly metadata: string | null },
    agreed: Map<string, Promise<boolean>>,
  ): Promise<void> {
    const { partition, metadata } = place;
    const committed = { offset: Number(place.offset), metadata };
    if (committed.offset < 0 && this.#isLeaderless(topic, partition)) {
      // kafkajs would ask a leader where the partition begins, and do nothing else until there is one. Unused: it is not placed.
      this.#positions.forget(topic, partition);
      place.offset = '0';
      return;
    }
    let placing = this.#positions.place(topic, partition, committed);
    if (placing === 'log-end') {
      const end = await this.#logEnd(topic, partition);
      placing = end !== null && end < committed.offset ? 'anew' : 'kept';
    }
    if (placing === 'kept' && committed.offset < 0) this.#hooks.onNoOffset?.(topic, partition);
    if (placing !== 'anew') return;
    const id = this.#positions.topicIdOf(topic, partition) ?? '';
    const asking = agreed.get(topic) ?? this.#isAgreed(topic, id);
    agreed.set(topic, asking);
    if (!(await asking)) {
      // The offset stays as it is, unused, until brokers agree on what the topic is.
      this.#positions.forget(topic, partition);
      this.#wantRound();
      return;
    }
    this.#positions.begunAnew(topic, partition, committed);
    place.offset = '0';
    if (this.#announced.get(topic) === id) return;
    this.#announced.set(topic, id);
    this.#hooks.onMadeAnew({ topic, topicId: id, committed: committed.offset });
  }

  /** Whether other brokers give the topic the same id: going back to the beginning cannot be undone, and one may lag behind. */
  async #isAgreed(topic: string, id: string): Promise<boolean> {
    const pool = this.#cluster?.brokerPool;
    if (pool === undefined) return false;
    const ask = (finding: Promise<Broker>) => {
      const asking = finding.then((broker) => askKafkajsBroker(broker, describeTopicIds([topic])));
      return withDeadline(asking, WITNESS_DEADLINE_MS, 'asking for a topic').catch(() => null);
    };
    const seen = await ask(pool.findConnectedBroker());
    if (seen === null) return false;
    const leaders = new Set(this.#leaders.get(topic) ?? []);
    // Leaders first: they are who answers by this id, or does not.
    const living = seen.brokers.map(({ nodeId }) => nodeId);
    const order = living.toSorted((a, b) => Number(leaders.has(b)) - Number(leaders.has(a)));
    const answers: (string | null)[] = [];
    for (const nodeId of order.slice(0, WITNESSES_MAX)) {
      const found = await ask(pool.findBroker({ nodeId }));
      if (found !== null) answers.push(found.topics.find((each) => each.topic === topic)?.id ?? null);
    }
    const isAgreed = isOneTopic(id, answers, living.length);
    if (!isAgreed) await systemClock.sleep(DISAGREED_PAUSE_MS);
    return isAgreed;
  }

  /** Null where it cannot be told now. */
  async #logEnd(topic: string, partition: number): Promise<number | null> {
    const nodeId = this.#leaders.get(topic)?.[partition] ?? -1;
    const leader = nodeId < 0 ? undefined : await this.#cluster?.brokerPool.findBroker({ nodeId });
    if (leader === undefined) return null;
    const [found] = await askKafkajsBroker(leader, listOffsets(topic, [partition], LATEST, 'written'));
    return found?.code === CODE.none ? found.offset : null;
  }
}
