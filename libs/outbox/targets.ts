/**
 * Names of what a row may have to wait for: a topic, or one partition of it under a partition count. Two records of one key have
 * the same name under the same count, so that rows that wait under one name are whole keys (I5).
 */
import type { Doubt } from './ports-aside.ts';

export interface Target {
  readonly topic: string;
  /** Null: the topic as a whole. */
  readonly partition: number | null;
  /** Null with the partition. */
  readonly partitions: number | null;
}

/** `attemptToken` of a row that was sent, to a partition that cannot say now whether it arrived. */
export const IN_DOUBT = -1;

/** Topics have no slash in their names. */
export const targetName = ({ topic, partition, partitions }: Target): string =>
  partition === null || partitions === null ? topic : `${topic}/${partition}/${partitions}`;

/** The target of a name that `targetName` made. */
export function targetOf(name: string): Target {
  const [, topic, partition, partitions] = /^([^/]*)\/(\d+)\/(\d+)$/.exec(name) ?? [];
  if (topic === undefined) return { topic: name, partition: null, partitions: null };
  return { topic, partition: Number(partition), partitions: Number(partitions) };
}

/** For people: `topic t` or `topic t, partition 3`. */
export const showTarget = ({ topic, partition }: Pick<Target, 'topic' | 'partition'>): string =>
  partition === null ? `topic ${topic}` : `topic ${topic}, partition ${partition}`;

/** Doubts as the stores keep them, as JSON; null: none. */
export const doubtsFromText = (text: string | null | undefined): readonly Doubt[] =>
  JSON.parse(text ?? '[]') as Doubt[];

/** Of two doubts for one sender and partition the earlier one counts. */
export function joinDoubts(known: readonly Doubt[], added: readonly Doubt[]): readonly Doubt[] {
  const joined = new Map<string, Doubt>();
  for (const doubt of [...known, ...added]) {
    const name = `${doubt.waitsFor} ${doubt.by}`;
    const { sinceMs } = joined.get(name) ?? doubt;
    joined.set(name, { ...doubt, sinceMs: Math.min(sinceMs, doubt.sinceMs) });
  }
  return [...joined.values()];
}
