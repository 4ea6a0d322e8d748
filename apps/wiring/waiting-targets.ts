/** What rows set aside wait for, as operators see it: each topic or partition with its reason, rows and time, and what to do. */
import { type AsideQueue, targetOf } from '#outbox';

export interface WaitingTarget {
  readonly topic: string;
  /** Null: the topic as a whole. */
  readonly partition: number | null;
  /** Rows set aside; more of it may be in the outbox of these lanes. */
  readonly rows: number;
  readonly bytes: number;
  readonly lanes: readonly number[];
  /** Since the first of them was set aside. */
  readonly sinceMs: number;
  /** The fault that it was set aside for. */
  readonly reason: string;
}

/** The one that has been waiting longest first. */
export function waitingTargets(queues: readonly AsideQueue[]): readonly WaitingTarget[] {
  const byTarget = Map.groupBy(queues, ({ waitsFor }) => {
    const { topic, partition } = targetOf(waitsFor);
    return `${topic}/${partition}`;
  });
  const found = [...byTarget.values()].map((each) => {
    const oldest = each.reduce((old, queue) => (queue.oldestMs > old.oldestMs ? queue : old));
    const { topic, partition } = targetOf(oldest.waitsFor);
    return {
      topic,
      partition,
      rows: each.reduce((sum, { rows }) => sum + rows, 0),
      bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
      lanes: [...new Set(each.map(({ lane }) => lane))].sort((a, b) => a - b),
      sinceMs: oldest.oldestMs,
      reason: oldest.error,
    };
  });
  return found.sort((a, b) => b.sinceMs - a.sinceMs);
}

export const showWaitingTarget = ({ topic, partition }: WaitingTarget): string =>
  partition === null ? `topic ${topic}` : `partition ${partition} of topic ${topic}`;

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^KAFKA_TOPIC_MISSING/, 'create the topic, or take its rows out with dead-letters'],
  [/^KAFKA_REFUSED/, 'allow the senders to write to it (ACL: WRITE and DESCRIBE on the topic)'],
  [/NOT_ENOUGH_REPLICAS/, 'bring the brokers with its replicas back, or lower min.insync.replicas'],
];

/** The stored reason begins with the code and ends with the broker's own name for the fault: both are ours. */
export const whatToDo = ({ reason }: WaitingTarget): string =>
  ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ??
  'bring back the broker that leads it, or give it a new leader';
