/** Fetches for a kafkajs consumer: records of the topic that the offset belongs to, and never of another one of its name. */
import { type RelayError, systemClock } from '#runtime';
import { askKafkajsBroker, knownTopics, speaks } from './ask-kafkajs-broker.ts';
import { BeyondEnd } from './beyond-end.ts';
import { type DecodedSet, decodeSet, type InflateBudget } from './consumed-records.ts';
import { CODE, faultOfCode } from './fault-table.ts';
import type { FetchedPartitionData } from './fetched-message.ts';
import { type Broker, createErrorFromCode } from './kafkajs.ts';
import type { TopicPositions } from './topic-positions.ts';
import { EARLIEST, listOffsets } from './wire/cluster-requests.ts';
import { fetchByName } from './wire/fetch-by-name.ts';
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

/** How far a partition is, by a broker's answer. */
export interface PartitionRead {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** Where what is readable ends: before the first open transaction. */
  readonly stable: number;
  /** Where what is written ends. */
  readonly end: number;
  readonly hasRecords: boolean;
}

export interface FetchHooks {
  /** A topic that is fetched is missing, or another one now: offsets have to be placed anew. */
  onGone(): void;
  /** The position is not in the log; `start` is where the log begins. */
  onOutOfRange(topic: string, partition: number, start: number): void;
  /** The partition stands at its position, for this reason; the others go on. It is tried again every few seconds. */
  onUnreadable?(topic: string, partition: number, fault: RelayError): void;
  onRead?(read: PartitionRead): void;
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
/** LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH: kafkajs looks for the leader. */
const LEADER_MOVED: readonly number[] = [5, 6, 74, 75];
/** A partition that cannot be read, or is not answered for, is not asked for meanwhile. */
const HELD_MS = 2_000;
/** What one fetch may come to. A batch that is begun with this much left may come to more, up to its own bound. */
const FETCH_INFLATED_BYTES_MAX = 64 * 1024 * 1024;
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

type Fetched = Omit<FetchedById, 'topicId'>;

function toPartition(fetched: Fetched, { messages }: DecodedSet, { topicId }: Asked): FetchedPartition {
  const { partition, highWatermark, lastStableOffset, logStart, aborted, preferredReplica } = fetched;
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

function limitsOf(request: FetchRequest) {
  const { maxWaitTime: waitMs, minBytes: bytesMin, maxBytes: bytesMax, isolationLevel: isolation } = request;
  return { waitMs, bytesMin, bytesMax, isolation, rackId: request.rackId ?? '' };
}

export class ConsumerFetch {
  readonly #positions: TopicPositions;
  readonly #hooks: FetchHooks;
  readonly #beyond = new BeyondEnd();
  /** Until when partitions are not asked for. */
  readonly #held = new Map<string, number>();
  #fetches = 0;

  constructor(positions: TopicPositions, hooks: FetchHooks) {
    this.#positions = positions;
    this.#hooks = hooks;
  }

  async fetch(broker: Broker, request: FetchRequest): Promise<FetchAnswer> {
    const asked = this.#askedOf(request);
    // Between two rounds nothing is known of the offsets that kafkajs still has.
    if (asked.length === 0) {
      await systemClock.sleep(PAUSE_MS);
      return { responses: [] };
    }
    const hasIds = asked.every(({ topicId }) => topicId !== null);
    return hasIds && speaks(broker, FETCH_BY_ID)
      ? await this.#fetchById(broker, request, asked)
      : await this.#fetchByName(broker, request, asked);
  }

  /** What is placed, beginning elsewhere each time: an answer may have room for the first ones only (KIP-74). */
  #askedOf({ topics }: FetchRequest): Asked[] {
    const asked = topics.flatMap(({ topic, partitions }) =>
      partitions.flatMap(({ partition, fetchOffset, maxBytes: bytesMax }) => {
        const topicId = this.#positions.topicIdOf(topic, partition);
        if (topicId === undefined || this.#isHeld(`${topic}/${partition}`)) return [];
        return [{ topic, partition, topicId, offset: Number(fetchOffset), bytesMax }];
      }),
    );
    this.#fetches = (this.#fetches + 1) % Number.MAX_SAFE_INTEGER;
    const first = asked.length === 0 ? 0 : this.#fetches % asked.length;
    return [...asked.slice(first), ...asked.slice(0, first)];
  }

  #isHeld(place: string): boolean {
    const untilMs = this.#held.get(place);
    if (untilMs === undefined || untilMs > systemClock.nowMs()) return untilMs !== undefined;
    this.#held.delete(place);
    return false;
  }

  async #fetchById(broker: Broker, request: FetchRequest, asked: readonly Asked[]): Promise<FetchAnswer> {
    const places = asked.map((each) => ({ ...each, topicId: each.topicId ?? '' }));
    const answer = await askKafkajsBroker(broker, fetchById(places, limitsOf(request)));
    if (answer.code !== CODE.none) throw createErrorFromCode(answer.code);
    return await this.#take(broker, answer.partitions, ({ topicId, partition }) =>
      asked.find((each) => each.topicId === topicId && each.partition === partition),
    );
  }

  async #take<Each extends Fetched>(
    broker: Broker,
    fetched: readonly Each[],
    placeFor: (each: Each) => Asked | undefined,
  ): Promise<FetchAnswer> {
    const good: [topic: string, data: FetchedPartition][] = [];
    const gone: Asked[] = [];
    const budget: InflateBudget = { bytesLeft: FETCH_INFLATED_BYTES_MAX };
    let moved: number | null = null;
    for (const each of fetched) {
      const place = placeFor(each);
      const { code } = each;
      if (place === undefined) continue;
      if (code === CODE.none) good.push([place.topic, await this.#decode(each, place, budget)]);
      else if (GONE.includes(code)) gone.push(place);
      else if (code === OUT_OF_RANGE) await this.#findStart(broker, place);
      else if (LEADER_MOVED.includes(code)) moved ??= code;
      else this.#hold(place, faultOfCode(code, { step: 'read', topic: place.topic, partition: place.partition }));
    }
    if (gone.length > 0) await this.#lookAfter(broker, gone);
    // kafkajs knows what to do. What came beside it is fetched again.
    if (moved !== null) throw createErrorFromCode(moved);
    return grouped(good);
  }

  async #decode(fetched: Fetched, place: Asked, budget: InflateBudget): Promise<FetchedPartition> {
    const { topic, partition, offset: position } = place;
    this.#beyond.forget(placeOf(place));
    const decoded = await decodeSet(fetched.sized, position, budget);
    const hasRecords = decoded.messages.length > 0;
    const { lastStableOffset: stable, highWatermark: end } = fetched;
    // What comes before it is handled first.
    if (decoded.fault !== null && !hasRecords) this.#hold(place, decoded.fault);
    else this.#hooks.onRead?.({ topic, partition, position, stable, end, hasRecords });
    return toPartition(fetched, decoded, place);
  }

  #hold(place: Asked, fault: RelayError): void {
    this.#held.set(placeOf(place), systemClock.nowMs() + HELD_MS);
    this.#hooks.onUnreadable?.(place.topic, place.partition, fault);
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
  async #fetchByName(broker: Broker, request: FetchRequest, asked: readonly Asked[]): Promise<FetchAnswer> {
    const found = await askKafkajsBroker(broker, fetchByName(asked, limitsOf(request)));
    if (found.code !== CODE.none) throw createErrorFromCode(found.code);
    const isAnswered = (topic: string) => asked.find((each) => each.topic === topic)?.topicId !== null;
    const unnamed = found.partitions.find(({ topic, code }) => GONE.includes(code) && !isAnswered(topic));
    // Nobody can be asked for the id: kafkajs looks what is there.
    if (unnamed !== undefined) throw createErrorFromCode(unnamed.code);
    const withId = asked.filter(({ topicId }) => topicId !== null);
    const hasRecords = found.partitions.some(({ sized }) => sized.length > 4);
    const canAsk = hasRecords && withId.length > 0 && speaks(broker, METADATA_WITH_IDS);
    const changed = canAsk ? await this.#changed(broker, withId) : new Set<string>();
    if (changed.size > 0) this.#hooks.onGone();
    const ours = found.partitions.filter(({ topic }) => !changed.has(topic));
    return await this.#take(broker, ours, ({ topic, partition }) =>
      asked.find((each) => each.topic === topic && each.partition === partition),
    );
  }
}
