/**
 * What kafkajs 2.2.4's consumer keeps to itself, or gets wrong, mended between it and its brokers:
 * - the generation of its group, without which an offset cannot be committed as a member within a transaction: the answer to
 *   JoinGroup has it;
 * - aborted transactions, whose records it shows when the broker lists several in another order than that of their
 *   beginning, when two begin at one record, or when a key happens to look like an abort marker.
 */
import type { Kafka } from 'kafkajs';
import { RelayError } from '#runtime';
import type { GroupMember } from './wire/transaction-requests.ts';

export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  /** Not shown to anybody, but counted when kafkajs looks for the next offset. */
  isControlRecord: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface FetchedPartitionData {
  readonly messages: readonly FetchedMessage[];
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[];
}

interface Broker {
  joinGroup(request: object): Promise<GroupMember>;
  fetch(request: object): Promise<{ readonly responses: readonly { readonly partitions: FetchedPartitionData[] }[] }>;
}

interface Cluster {
  findBroker(request: object): Promise<Broker>;
}

const CREATE_CLUSTER = 'private:Kafka:createCluster';
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

function mendBroker(broker: Broker, onJoined: (member: GroupMember) => void): void {
  const join = broker.joinGroup.bind(broker);
  const fetch = broker.fetch.bind(broker);
  broker.joinGroup = async (request) => {
    const joined = await join(request);
    onJoined({ memberId: joined.memberId, generationId: joined.generationId });
    return joined;
  };
  broker.fetch = async (request) => {
    const fetched = await fetch(request);
    for (const { partitions } of fetched.responses) partitions.forEach(hideAborted);
    return fetched;
  };
}

/**
 * To be called before `kafka.consumer()`, on a client of which only one consumer is made. `onJoined` comes before the
 * consumer's GROUP_JOIN event, perhaps several times: the last one counts. Throws INTERNAL for another version of kafkajs.
 */
export function mendConsumer(kafka: Kafka, onJoined: (member: GroupMember) => void): void {
  const client = kafka as unknown as Record<symbol, unknown>;
  const symbol = Object.getOwnPropertySymbols(client).find((each) => each.description === CREATE_CLUSTER);
  const create = symbol && client[symbol];
  if (symbol === undefined || typeof create !== 'function') {
    throw new RelayError('INTERNAL', 'kafkajs is not the version this adapter was written for (2.2.4)');
  }
  const mended = new WeakSet<Broker>();
  client[symbol] = (options: object) => {
    const cluster = (create as (options: object) => Cluster)(options);
    const find = cluster.findBroker.bind(cluster);
    cluster.findBroker = async (request) => {
      const broker = await find(request);
      if (!mended.has(broker)) mendBroker(broker, onJoined);
      mended.add(broker);
      return broker;
    };
    return cluster;
  };
}
