/**
 * What kafkajs 2.2.4's consumer keeps to itself, or gets wrong, mended between it and its brokers:
 * - the generation of its group, without which an offset cannot be committed as a member within a transaction: the answer to
 *   JoinGroup has it;
 * - aborted transactions, whose records it shows when the broker lists several in another order than that of their
 *   beginning, when two begin at one record, or when a key happens to look like an abort marker;
 * - topics, which it knows by name only: see consumed-topics.ts.
 */
import type { Kafka } from 'kafkajs';
import { asRelayError, describeThrown, RelayError } from '#runtime';
import { ConsumedTopics, type ConsumerCluster, type ConsumerRequests, type TopicHooks } from './consumed-topics.ts';
import type { FetchedMessage, FetchedPartitionData } from './fetched-message.ts';
import { type Broker, createErrorFromCode } from './kafkajs.ts';
import type { GroupMember } from './wire/transaction-requests.ts';

export type { FetchedMessage };

export interface ConsumerHooks extends TopicHooks {
  /** Comes before the consumer's GROUP_JOIN event, perhaps several times: the last one counts. */
  onJoined(member: GroupMember): void;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** One broker, as the cluster of a kafkajs consumer knows it. */
interface ConsumerBroker extends Broker, Mutable<ConsumerRequests> {
  joinGroup(request: object): Promise<GroupMember>;
  heartbeat(request: object): Promise<unknown>;
}

interface MendedCluster extends ConsumerCluster {
  readonly brokerPool: ConsumerCluster['brokerPool'] & { createBroker(options: object): ConsumerBroker };
}

const CREATE_CLUSTER = 'private:Kafka:createCluster';
const REBALANCE_IN_PROGRESS = 27;
const ENDS_KAFKAJS: readonly string[] = ['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'];
/** Key of a control record: version 0, type 0. */
const ABORT_MARKER = Buffer.alloc(4);

/** Hides the records of aborted transactions, from their first offset to the abort marker of their producer. */
export function hideAborted(data: FetchedPartitionData): void {
  const { messages, abortedTransactions } = data;
  if (!abortedTransactions?.length) return;
  const waiting = abortedTransactions.toSorted((a, b) => (BigInt(a.firstOffset) < BigInt(b.firstOffset) ? -1 : 1));
  const aborted = new Set<string>();
  for (const message of messages) {
    while (waiting[0] && BigInt(waiting[0].firstOffset) <= BigInt(message.offset)) {
      aborted.add(String(waiting.shift()?.producerId));
    }
    const producerId = String(message.batchContext?.producerId);
    if (message.isControlRecord) {
      if (message.key?.equals(ABORT_MARKER)) aborted.delete(producerId);
    } else if (message.batchContext?.inTransaction && aborted.has(producerId)) message.isControlRecord = true;
  }
  data.abortedTransactions = [];
}

/**
 * kafkajs ends its consumer by an error of a class of JavaScript's own, such as an answer that is cut short makes one; any other
 * one it tries again.
 */
export const bearable =
  <Given extends unknown[], Answer>(ask: (...given: Given) => Promise<Answer>) =>
  async (...given: Given): Promise<Answer> => {
    try {
      return await ask(...given);
    } catch (thrown) {
      throw ENDS_KAFKAJS.includes(describeThrown(thrown).name) ? asRelayError(thrown) : thrown;
    }
  };

function mendBroker(broker: ConsumerBroker, round: GroupRound, topics: ConsumedTopics): void {
  const join = broker.joinGroup.bind(broker);
  const beat = broker.heartbeat.bind(broker);
  const mended = topics.mend(broker);
  broker.joinGroup = async (request) => {
    await round.begin();
    const joined = await join(request);
    round.end({ memberId: joined.memberId, generationId: joined.generationId });
    return joined;
  };
  broker.heartbeat = async (request) => {
    if (round.isWanted) throw createErrorFromCode(REBALANCE_IN_PROGRESS);
    return await beat(request);
  };
  broker.metadata = bearable(mended.metadata);
  broker.offsetFetch = bearable(mended.offsetFetch);
  const fetch = bearable(mended.fetch);
  broker.fetch = async (request) => {
    const fetched = await fetch(request);
    for (const { partitions } of fetched.responses) partitions.forEach(hideAborted);
    return fetched;
  };
}

/** One round of the group, from one join to the next. */
export class GroupRound {
  /** The next heartbeat makes kafkajs drain its batches and join anew, as in any rebalance. */
  isWanted = false;
  readonly #joined: ConsumerHooks['onJoined'];
  readonly #topics: () => Pick<ConsumedTopics, 'beginRound'>;

  constructor(joined: ConsumerHooks['onJoined'], topics: () => Pick<ConsumedTopics, 'beginRound'>) {
    this.#joined = joined;
    this.#topics = topics;
  }

  /**
   * Stays wanted until it is joined: when a coordinator that has just started refuses, kafkajs goes on in the old round, in
   * which no offset is placed any more and nothing would ever be fetched.
   */
  async begin(): Promise<void> {
    this.isWanted = true;
    await this.#topics().beginRound();
  }

  end(member: GroupMember): void {
    this.isWanted = false;
    this.#joined(member);
  }
}

/**
 * To be called before `kafka.consumer()`, on a client of which only one consumer is made. Throws INTERNAL for another version of kafkajs.
 */
export function mendConsumer(kafka: Kafka, hooks: ConsumerHooks): ConsumedTopics {
  const client = kafka as unknown as Record<symbol, unknown>;
  const symbol = Object.getOwnPropertySymbols(client).find((each) => each.description === CREATE_CLUSTER);
  const create = symbol && client[symbol];
  if (symbol === undefined || typeof create !== 'function') {
    throw new RelayError('INTERNAL', 'kafkajs is not the version this adapter was written for (2.2.4)');
  }
  const round = new GroupRound(hooks.onJoined, () => topics);
  const topics = new ConsumedTopics(hooks, () => {
    round.isWanted = true;
  });
  client[symbol] = (options: object) => {
    const cluster = (create as (options: object) => MendedCluster)(options);
    const make = cluster.brokerPool.createBroker;
    cluster.brokerPool.createBroker = (brokerOptions) => {
      const broker = make(brokerOptions);
      mendBroker(broker, round, topics);
      return broker;
    };
    topics.use(cluster);
    return cluster;
  };
  return topics;
}
