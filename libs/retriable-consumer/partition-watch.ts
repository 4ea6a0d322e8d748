/**
 * Partitions that stand while records may wait in them: a batch that cannot be read, a right that is missing, a partition nobody
 * answers for, a transaction that stays open. Health and log say which, where and what helps. The other partitions go on.
 */
import type { PartitionRead } from '#kafka-delivery';
import type { ProgressHealth } from '#observability';
import type { Clock, Logger, RelayError } from '#runtime';

interface PartitionWatchOptions {
  readonly groupId: string;
  readonly logger: Logger;
  readonly health: ProgressHealth;
  readonly clock: Clock;
  readonly stallMs: number;
  /** Also told when a partition stands and there is no logger: somebody has to hear of it. */
  readonly complain: (text: string) => void;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  /** Last answered for, or waiting by its own will. */
  readMs: number;
  /** Since when nothing but what an open transaction holds back is there; null while there is something else, or nothing. */
  heldBackMs: number | null;
  heldBackAt: number;
  fault: RelayError | null;
  /** What was said; null while it moves. */
  said: string | null;
}

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;
const subjectOf = ({ topic, partition }: Place): string => `reading ${nameOf(topic, partition)}`;
const seconds = (ms: number): number => Math.floor(ms / 1_000);

export class PartitionWatch {
  readonly #options: PartitionWatchOptions;
  readonly #places = new Map<string, Place>();

  constructor(options: PartitionWatchOptions) {
    this.#options = options;
  }

  /** Those that stand. */
  get standing(): number {
    return [...this.#places.values()].filter(({ said }) => said !== null).length;
  }

  /** Of a new round of the group: all that this member reads. */
  assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    for (const place of this.#places.values()) if (place.said !== null) this.#options.health.forget(subjectOf(place));
    this.#places.clear();
    const times = { readMs: this.#options.clock.nowMs(), heldBackMs: null, heldBackAt: -1 };
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        this.#places.set(nameOf(topic, partition), { topic, partition, ...times, fault: null, said: null });
      }
    }
  }

  read({ topic, partition, position, stable, end, hasRecords }: PartitionRead): void {
    const place = this.#places.get(nameOf(topic, partition));
    if (place === undefined) return;
    const nowMs = this.#options.clock.nowMs();
    place.readMs = nowMs;
    place.fault = null;
    const isHeldBack = !hasRecords && position >= stable && stable < end;
    if (!isHeldBack || place.heldBackAt !== position) place.heldBackMs = isHeldBack ? nowMs : null;
    place.heldBackAt = position;
  }

  unreadable(topic: string, partition: number, fault: RelayError): void {
    const place = this.#places.get(nameOf(topic, partition));
    if (place !== undefined) place.fault = fault;
  }

  /** Every second. `isWaiting`: the partition is not read by its own will, until a time that is known, or is being handled. */
  check(isWaiting: (topic: string, partition: number) => boolean): void {
    for (const place of this.#places.values()) {
      if (isWaiting(place.topic, place.partition)) {
        place.readMs = this.#options.clock.nowMs();
        place.heldBackMs = null;
      }
      this.#say(place, this.#reasonFor(place));
    }
  }

  #reasonFor(place: Place): { readonly kind: string; readonly text: string } | null {
    const { clock, stallMs, groupId } = this.#options;
    const { topic, partition, fault, heldBackMs, heldBackAt, readMs } = place;
    const nowMs = clock.nowMs();
    if (fault !== null && (fault.verdict !== 'retry' || fault.code === 'KAFKA_REFUSED')) {
      const { offset, nextOffset } = fault.details;
      const skip =
        nextOffset === undefined
          ? ''
          : `; mend the log, or give these records up: stop group ${groupId}, set its offset of ${topic}:${partition} to ${nextOffset} (kafka-consumer-groups --reset-offsets), start it again`;
      return { kind: `fault ${fault.code} ${offset}`, text: `cannot be read: ${fault.message}${skip}` };
    }
    if (nowMs - readMs >= stallMs) {
      const why = fault === null ? 'no broker answers for it' : fault.message;
      return { kind: 'silent', text: `was not read for ${seconds(nowMs - readMs)} s: ${why}` };
    }
    if (heldBackMs !== null && nowMs - heldBackMs >= stallMs) {
      const since = `for ${seconds(nowMs - heldBackMs)} s`;
      const text = `records wait at offset ${heldBackAt} ${since} behind a transaction that its producer has left open: find it by kafka-transactions find-hanging`;
      return { kind: `held back ${heldBackAt}`, text };
    }
    return null;
  }

  /** Logs once a reason; health has the current text. */
  #say(place: Place, reason: { readonly kind: string; readonly text: string } | null): void {
    const { health, logger, complain } = this.#options;
    const { topic, partition } = place;
    if (reason === null) {
      if (place.said === null) return;
      place.said = null;
      health.forget(subjectOf(place));
      logger.info({ event: 'partition-moves', topic, partition }, `partition ${partition} of ${topic} is read on`);
      return;
    }
    health.stuck(subjectOf(place), reason.text);
    if (place.said === reason.kind) return;
    place.said = reason.kind;
    const text = `partition ${partition} of ${topic} stands, the others go on: it ${reason.text}`;
    logger.error({ event: 'partition-stands', topic, partition }, text);
    complain(text);
  }
}
