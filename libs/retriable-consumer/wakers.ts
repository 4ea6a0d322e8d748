/** One alarm a partition: reads it on from where it waits when the time has come, and not before. */
import type { Clock } from '#runtime';

export interface PartitionReader {
  pause(topic: string, partition: number): void;
  /** Reads on, from `offset` when there is one. */
  resume(topic: string, partition: number, offset: bigint | null): void;
}

interface Alarm {
  readonly topic: string;
  readonly partition: number;
  readonly dueMs: number;
  readonly offset: bigint | null;
  readonly paused: boolean;
  readonly cancel: AbortController;
}

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;
/** Timers of Node end at 2^31 - 1 ms. */
const SLEEP_MS_MAX = 3_600_000;

export class Wakers {
  readonly #alarms = new Map<string, Alarm>();
  readonly #clock: Clock;
  readonly #reader: PartitionReader;

  constructor(clock: Clock, reader: PartitionReader) {
    this.#clock = clock;
    this.#reader = reader;
  }

  /** Partitions that wait without being read. */
  get pausedCount(): number {
    return [...this.#alarms.values()].filter(({ paused }) => paused).length;
  }

  isPaused(topic: string, partition: number): boolean {
    return this.#alarms.get(nameOf(topic, partition))?.paused === true;
  }

  /** `dueMs` by the wall clock. A new alarm of a partition replaces the one before. */
  set(topic: string, partition: number, alarm: Pick<Alarm, 'dueMs' | 'offset' | 'paused'>): void {
    const name = nameOf(topic, partition);
    const before = this.#alarms.get(name);
    before?.cancel.abort();
    const cancel = new AbortController();
    this.#alarms.set(name, { topic, partition, ...alarm, cancel });
    if (alarm.paused) this.#reader.pause(topic, partition);
    else if (before?.paused) this.#reader.resume(topic, partition, null);
    void this.#ring(name, alarm.dueMs, cancel.signal);
  }

  /** All partitions read on: after a rebalance everything begins anew. */
  clear(): void {
    const alarms = [...this.#alarms.values()];
    this.#alarms.clear();
    for (const { topic, partition, paused, cancel } of alarms) {
      cancel.abort();
      if (paused) this.#reader.resume(topic, partition, null);
    }
  }

  async #ring(name: string, dueMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#clock.wallMs() < dueMs) {
      await this.#clock.sleep(Math.min(dueMs - this.#clock.wallMs(), SLEEP_MS_MAX), signal);
    }
    const alarm = this.#alarms.get(name);
    if (signal.aborted || alarm === undefined) return;
    this.#alarms.delete(name);
    this.#reader.resume(alarm.topic, alarm.partition, alarm.offset);
  }
}
