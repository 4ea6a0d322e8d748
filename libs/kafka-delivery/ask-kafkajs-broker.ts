/** Asks a broker of a kafkajs client something that kafkajs does not know how to ask, through kafkajs's own connection. */
import { type BrokerLink, createBrokerLink } from './broker-link.ts';
import { CODE } from './fault-table.ts';
import type { Broker } from './kafkajs.ts';
import type { WireRequest } from './wire/request.ts';
import type { IdentifiedCluster } from './wire/topic-id-requests.ts';

const LIMITS = { connectionTimeoutMs: 5_000, requestTimeoutMs: 15_000 };
const links = new WeakMap<Broker, BrokerLink>();

export const speaks = (
  { versions }: Broker,
  { api, version }: Pick<WireRequest<unknown>, 'api' | 'version'>,
): boolean => (versions?.[api]?.maxVersion ?? -1) >= version;

/** Rejects with kafkajs's errors. kafkajs gives up a broken connection by itself only where it asks itself. */
export async function askKafkajsBroker<Answer>(broker: Broker, request: WireRequest<Answer>): Promise<Answer> {
  const link = links.get(broker) ?? createBrokerLink(broker, LIMITS);
  links.set(broker, link);
  try {
    return await link.ask(request);
  } catch (thrown) {
    if ((thrown as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw thrown;
  }
}

/** A topic as a consumer knows it. */
export interface KnownTopic {
  readonly topic: string;
  /** Null where brokers give no ids. */
  readonly id: string | null;
  readonly partitions: number;
}

/** Those that exist. */
export const knownTopics = ({ topics }: IdentifiedCluster): KnownTopic[] =>
  topics
    .filter(({ code }) => code === CODE.none)
    .map(({ topic, id, partitions }) => ({ topic, id, partitions: partitions.length }));
