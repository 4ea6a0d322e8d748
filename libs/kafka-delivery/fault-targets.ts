/**
 * Which topics and partitions a fault is about that keeps records from them: told beside the fault, since one answer of a broker, or
 * one broker that is away, may concern many.
 */
import type { FaultTarget } from '#outbox';
import { causeOf, type ErrorCode, type RelayError } from '#runtime';

export interface FaultPlaceName {
  readonly topic: string;
  /** Null: the topic as a whole. */
  readonly partition: number | null;
}

const targets = new WeakMap<Error, readonly FaultTarget[]>();

/** World faults of a target. Any other one is about the row, the producer, the cluster or the settings. */
const OF_TARGETS: readonly ErrorCode[] = ['KAFKA_UNREACHABLE', 'KAFKA_TOPIC_MISSING', 'KAFKA_REFUSED'];
/** Of a topic as a whole, whatever partition was asked. */
const OF_TOPICS: readonly ErrorCode[] = ['KAFKA_TOPIC_MISSING', 'KAFKA_REFUSED'];
const CAUSES_MAX = 5;

/** `counts`: partitions by topic. Answers with the fault. */
export function nameTargets(
  fault: RelayError,
  places: readonly FaultPlaceName[],
  counts: (topic: string) => number | undefined,
): RelayError {
  if (!OF_TARGETS.includes(fault.code)) return fault;
  const { code, message } = fault;
  const cause = causeOf(fault);
  const found = new Map<string, FaultTarget>();
  for (const { topic, partition } of places) {
    const partitions = counts(topic);
    const isWhole = partition === null || partitions === undefined || OF_TOPICS.includes(code);
    const place = isWhole ? { partition: null, partitions: null } : { partition, partitions };
    found.set(`${topic}/${place.partition}`, { topic, ...place, code, cause, message });
  }
  targets.set(fault, [...found.values()]);
  return fault;
}

/** Of a fault, or of what it was made from. */
export function targetsOf(thrown: unknown): readonly FaultTarget[] {
  let current = thrown;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth += 1) {
    const found = targets.get(current);
    if (found !== undefined) return found;
    current = current.cause;
  }
  return [];
}

/** A fault that names one topic or partition in its details is about that one, unless more is told beside it. */
export function nameTarget(fault: RelayError, counts: (topic: string) => number | undefined): RelayError {
  const { topic, partition } = fault.details;
  if (typeof topic !== 'string' || targetsOf(fault).length > 0) return fault;
  return nameTargets(fault, [{ topic, partition: typeof partition === 'number' ? partition : null }], counts);
}
