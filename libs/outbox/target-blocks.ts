/**
 * Topics and partitions that take nothing now: missing, not authorised, without a leader, too few in-sync replicas, a leader that
 * does not answer. A world fault of their own, which must not stop the others: their rows wait aside, and a few of them are tried
 * from time to time.
 */
import { type BackoffLimits, backoffMs, type Clock, type ErrorCode, type Random } from '#runtime';
import type { FaultTarget } from './ports.ts';
import { type Target, targetName } from './targets.ts';

export interface TargetBlock extends FaultTarget {
  /** Monotonic. */
  readonly sinceMs: number;
  readonly attempt: number;
  readonly untilMs: number;
  /** False: for a moment only, which a new leader takes; its rows wait in their lanes. */
  readonly isBlocked: boolean;
}

/** A target that was back for less begins where it was, without patience: no rows go to and fro with one that flaps. */
const FLAPPING_MS = 60_000;
/** Targets remembered after they came back, and blocked ones of which nothing waits. */
const REMEMBERED_MAX = 10_000;

/** A topic that is missing or refused is so by the word of a broker; anything else may be over in a moment. */
const LASTING: readonly ErrorCode[] = ['KAFKA_TOPIC_MISSING', 'KAFKA_REFUSED'];

export class TargetBlocks {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: BackoffLimits;
  readonly #patienceMs: number;
  readonly #blocks = new Map<string, TargetBlock>();
  readonly #back = new Map<string, { readonly attempt: number; readonly atMs: number }>();

  /** `patienceMs`: how long a target may take nothing before its rows are moved out of the way of the others. */
  constructor(clock: Clock, random: Random, backoff: BackoffLimits, patienceMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
    this.#patienceMs = patienceMs;
  }

  get isEmpty(): boolean {
    return this.#blocks.size === 0;
  }

  get topics(): ReadonlySet<string> {
    return new Set([...this.#blocks.values()].map(({ topic }) => topic));
  }

  /** By `targetName`. */
  get(name: string): TargetBlock | undefined {
    return this.#blocks.get(name);
  }

  /** One more fault of the target. */
  fault(fault: FaultTarget): TargetBlock {
    const name = targetName(fault);
    const nowMs = this.#clock.nowMs();
    const before = this.#blocks.get(name);
    const back = this.#back.get(name);
    const flaps = before === undefined && back !== undefined && nowMs - back.atMs < FLAPPING_MS;
    const attempt = (before?.attempt ?? (flaps ? back.attempt : 0)) + 1;
    const sinceMs = before?.sinceMs ?? nowMs;
    const lasts = LASTING.includes(fault.code) || flaps || nowMs - sinceMs >= this.#patienceMs;
    const untilMs = nowMs + backoffMs(attempt, this.#backoff, this.#random);
    const block = { ...fault, sinceMs, attempt, untilMs, isBlocked: before?.isBlocked || lasts };
    this.#blocks.set(name, block);
    if (this.#blocks.size > REMEMBERED_MAX) this.#forgetOldest();
    return block;
  }

  /** The fault that keeps a record from its partition (null: not known), the worse one of topic and partition. */
  of({ topic, partition, partitions }: Target): TargetBlock | null {
    const whole = this.#blocks.get(topic);
    const part = partition === null ? undefined : this.#blocks.get(targetName({ topic, partition, partitions }));
    if (whole?.isBlocked || part === undefined) return whole ?? null;
    return part;
  }

  /** Resting: a record would be refused again, most likely. */
  isResting = ({ untilMs }: TargetBlock): boolean => untilMs > this.#clock.nowMs();

  /** The target has taken records: so has its topic. Answers with what was blocked and is not any more. */
  took(target: Target): readonly TargetBlock[] {
    if (this.#blocks.size === 0) return [];
    const cleared: TargetBlock[] = [];
    for (const name of new Set([target.topic, targetName(target)])) {
      const block = this.#blocks.get(name);
      if (block === undefined) continue;
      this.#blocks.delete(name);
      if (!block.isBlocked) continue;
      cleared.push(block);
      this.#back.set(name, { attempt: block.attempt, atMs: this.#clock.nowMs() });
      if (this.#back.size > REMEMBERED_MAX) this.#back.delete(this.#back.keys().next().value as string);
    }
    return cleared;
  }

  #forgetOldest(): void {
    const [name] = [...this.#blocks].reduce((old, each) => (each[1].untilMs < old[1].untilMs ? each : old));
    this.#blocks.delete(name);
  }
}
