/**
 * Whether a topic is gone for good. One broker's word is not enough: one that starts, or lags behind, answers for a topic that
 * is there as for one that was deleted.
 */
import type { Brokers } from './brokers.ts';
import { CODE, faultOfThrown } from './fault-table.ts';
import { type ClusterDescription, metadata } from './wire/cluster-requests.ts';

/** What a broker says of the cluster and of one topic. */
export type Testimony = Pick<ClusterDescription, 'brokers' | 'controller' | 'topics'> & { readonly nodeId: number };

/** A broker that is not among the living itself, or knows of no controller, has not heard of the cluster yet. */
const isInformed = ({ nodeId, brokers, controller }: Testimony): boolean =>
  controller >= 0 && brokers.some((broker) => broker.nodeId === nodeId);

/** True when each broker that any of them calls living has spoken, knows the cluster, and does not know the topic. */
export function isUnknownToAll(testimonies: readonly Testimony[], topic: string): boolean {
  const heard = new Set(testimonies.map(({ nodeId }) => nodeId));
  const deny = ({ topics }: Testimony) => {
    const about = topics.filter((each) => each.topic === topic);
    return about.length > 0 && about.every(({ code }) => code === CODE.unknownTopic);
  };
  return (
    testimonies.length > 0 &&
    testimonies.every((each) => isInformed(each) && deny(each)) &&
    testimonies.every(({ brokers }) => brokers.every(({ nodeId }) => heard.has(nodeId)))
  );
}

/** Asks every living broker. Rejects with the fault table's codes when one of them does not answer. */
export async function isGone(brokers: Brokers, topic: string): Promise<boolean> {
  const { brokers: living } = await brokers.describe([topic]);
  const testimonies: Testimony[] = [];
  for (const { nodeId } of living) {
    const link = await brokers.node(nodeId);
    const described = await link.ask(metadata([topic])).catch((error) => {
      throw faultOfThrown(error, { step: 'metadata' });
    });
    testimonies.push({ nodeId, ...described });
  }
  return isUnknownToAll(testimonies, topic);
}
