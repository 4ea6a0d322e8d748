/** Fetches for a kafkajs consumer: records of the topic that the offset belongs to, and never of another one of its name. */
import { systemClock } from '#runtime';
import { askKafkajsBroker, knownTopics, speaks } from './ask-kafkajs-broker.ts';
import { BeyondEnd } from './beyond-end.ts';
import { CODE } from './fault-table.ts';
import type { FetchedMessage, FetchedPartitionData } from './fetched-message.ts';
import { type Broker, createErrorFromCode, decodeRecords } from './kafkajs.ts';
import type { TopicPositions } from './topic-positions.ts';
import { EARLIEST, listOffsets } from './wire/cluster-requests.ts';
import {
  describeTopicIds,
  FETCH_BY_ID,
  type FetchedById,
  fetchById,
  METADATA_WITH_IDS,
} from './wire/topic-id-requests.ts';

export interface FetchRequest {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly rackId?: string;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

type FetchedPartition = FetchedPartitionData & { readonly partition: number };

export interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

export type FetchMethod = (request: FetchRequest) => Promise<FetchAnswer>;

export interface FetchHooks {
  /** A topic that is fetched is missing, or another one now: offsets have to be placed anew. */
  onGone(): void;
  /** The position is not in the log; `start` is where the log begins. */
  onOutOfRange(topic: string, partition: number, start: number): void;
  /** Another broker may lead the partition by now. */
  refresh(): Promise<void>;
}

interface Asked {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string | null;
  readonly offset: number;
  readonly bytesMax: number;
}

/** UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID. */
const GONE: readonly number[] = [CODE.unknownTopic, 100, 103];
const OUT_OF_RANGE = 1;
/** Before a question is repeated to which there was no answer. */
const PAUSE_MS = 100;
const OUT_OF_RANGE_PAUSE_MS = 500;

const placeOf = ({ topic, partition }: Pick<Asked, 'topic' | 'partition'>): string => `${topic}/${partition}`;

const grouped = (fetched: readonly (readonly [topic: string, data: FetchedPartition])[]): FetchAnswer => ({
  responses: [...Map.groupBy(fetched, ([topic]) => topic)].map(([topicName, each]) => ({
    topicName,
    partitions: each.map(([, data]) => data),
  })),
});

async function toPartition(fetched: FetchedById): Promise<FetchedPartition> {
  const { partition, highWatermark, lastStableOffset, logStart, aborted, preferredReplica, topicId } = fetched;
  const messages = await decodeRecords<FetchedMessage>(fetched.sized);
  for (const message of messages) message.topicId = topicId;
  const data = {
    partition,
    errorCode: CODE.none,
    highWatermark: String(highWatermark),
    lastStableOffset: String(lastStableOffset),
    lastStartOffset: String(logStart),
    preferredReadReplica: preferredReplica,
    abortedTransactions: aborted.map(({ producerId, firstOffset }) => ({
      producerId: String(producerId),
      firstOffset: String(firstOffset),
    })),
    messages,
  };
  return data;
}

export class ConsumerFetch {
  readonly #positions: TopicPositions;
  readonly #hooks: FetchHooks;
  readonly #beyond = new BeyondEnd();
  #fetches = 0;

  constructor(positions: TopicPositions, hooks: FetchHooks) {
    this.#positions = positions;
    this.#hooks = hooks;
  }

  async fetch(broker: Broker, byName: FetchMethod, request: FetchRequest): Promise<FetchAnswer> {
    const asked = this.#askedOf(request);
    // Between two rounds nothing is known of the offsets that kafkajs still has.
    if (asked.length === 0) {
      await systemClock.sleep(PAUSE_MS);
      return { responses: [] };
    }
    const hasIds = asked.every(({ topicId }) => topicId !== null);
    return hasIds && speaks(broker, FETCH_BY_ID)
      ? await this.#fetchById(broker, request, asked)
      : await this.#fetchByName(broker, byName, request, asked);
  }

  /** What is placed, beginning elsewhere each time: an answer may have room for the first ones only (KIP-74). */
  #askedOf({ topics }: FetchRequest): Asked[] {
    const asked = topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap(({ partition, fetchOffset, maxBytes: bytesMax }) => {
        const topicId = this.#positions.topicIdOf(topic, partition);
        return topicId === undefined ? [] : [{ topic, partition, topicId, offset: Number(fetchOffset), bytesMax }];
      }),
    );
    this.#fetches = (this.#fetches + 1) % Number.MAX_SAFE_INTEGER;
    const first = asked.length === 0 ? 0 : this.#fetches % asked.length;
    return [...asked.slice(first), ...asked.slice(0, first)];
  }

  async #fetchById(broker: Broker, request: FetchRequest, asked: readonly Asked[]): Promise<FetchAnswer> {
    const { maxWaitTime: waitMs, minBytes: bytesMin, maxBytes: bytesMax, isolationLevel: isolation } = request;
    const limits = { waitMs, bytesMin, bytesMax, isolation, rackId: request.rackId ?? '' };
    const places = asked.map((each) => ({ ...each, topicId: each.topicId ?? '' }));
    const answer = await askKafkajsBroker(broker, fetchById(places, limits));
    if (answer.code !== CODE.none) throw createErrorFromCode(answer.code);
    const good: [topic: string, data: FetchedPartition][] = [];
    const gone: Asked[] = [];
    let fault: number | null = null;
    for (const fetched of answer.partitions) {
      const { topicId, partition, code } = fetched;
      const place = asked.find((each) => each.topicId === topicId && each.partition === partition);
      if (place === undefined) continue;
      if (code === CODE.none) {
        this.#beyond.forget(placeOf(place));
        good.push([place.topic, await toPartition(fetched)]);
      } else if (GONE.includes(code)) gone.push(place);
      else if (code === OUT_OF_RANGE) await this.#findStart(broker, place);
      else fault ??= code;
    }
    if (gone.length > 0) await this.#lookAfter(broker, gone);
    // kafkajs knows what to do with any other fault. What came beside it is fetched again.
    if (fault !== null) throw createErrorFromCode(fault);
    return grouped(good);
  }

  /** A leader that has not heard of the topic yet answers as one from which it was taken. */
  async #lookAfter(broker: Broker, gone: readonly Asked[]): Promise<void> {
    if ((await this.#changed(broker, gone)).size > 0) this.#hooks.onGone();
    await systemClock.sleep(PAUSE_MS);
  }

  /** Names of topics that are missing, or have another id, as this broker knows. */
  async #changed(broker: Broker, asked: readonly Asked[]): Promise<Set<string>> {
    const idOf = new Map(asked.map(({ topic, topicId }) => [topic, topicId]));
    const found = await askKafkajsBroker(broker, describeTopicIds([...idOf.keys()]));
    const now = new Map(knownTopics(found).map(({ topic, id }) => [topic, id]));
    return new Set([...idOf].filter(([topic, id]) => now.get(topic) !== id).map(([topic]) => topic));
  }

  async #findStart(broker: Broker, place: Asked): Promise<void> {
    const { topic, partition, offset } = place;
    const [found] = await askKafkajsBroker(broker, listOffsets(topic, [partition], EARLIEST, 'written'));
    const isKnown = found?.code === CODE.none;
    if (isKnown && this.#beyond.isLost(placeOf(place), offset, found.offset, systemClock.nowMs())) {
      this.#hooks.onOutOfRange(topic, partition, found.offset);
      return;
    }
    await this.#hooks.refresh();
    await systemClock.sleep(OUT_OF_RANGE_PAUSE_MS);
  }

  /**
   * The broker's log may be of another topic than the id we have. It learns of a topic before it opens the topic's log:
   * where it names our id afterwards, what it answered was ours.
   */
  async #fetchByName(broker: Broker, byName: FetchMethod, request: FetchRequest, asked: readonly Asked[]) {
    const isAsked = (topic: string, partition: number) =>
      asked.some((each) => each.topic === topic && each.partition === partition);
    const topics = request.topics
      .map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.filter(({ partition }) => isAsked(topic, partition)),
      }))
      .filter(({ partitions }) => partitions.length > 0);
    let answer: FetchAnswer;
    try {
      answer = await byName({ ...request, topics });
    } catch (thrown) {
      const { name, topic, partition } = thrown as Error & { topic?: string; partition?: number };
      const place = asked.find((each) => each.topic === topic && each.partition === partition);
      if (name !== 'KafkaJSOffsetOutOfRange' || place === undefined) throw thrown;
      await this.#findStart(broker, place);
      return { responses: [] };
    }
    for (const place of asked) this.#beyond.forget(placeOf(place));
    const withId = asked.filter(({ topicId }) => topicId !== null);
    const hasRecords = answer.responses.some(({ partitions }) =>
      partitions.some(({ messages }) => messages.length > 0),
    );
    if (!hasRecords || withId.length === 0 || !speaks(broker, METADATA_WITH_IDS)) return answer;
    const changed = await this.#changed(broker, withId);
    if (changed.size > 0) this.#hooks.onGone();
    const idOf = new Map(asked.map(({ topic, topicId }) => [topic, topicId]));
    const responses = answer.responses.filter(({ topicName }) => !changed.has(topicName));
    for (const { topicName, partitions } of responses) {
      for (const { messages } of partitions) {
        for (const message of messages) message.topicId = idOf.get(topicName) ?? null;
      }
    }
    return { responses };
  }
}
