/** Adds up what processes say in their logs that they have moved or delivered, with the CPU they took for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, LogLine } from '#testkit';
import { cpuUs } from './process-usage.ts';

export interface TallyResult {
  readonly rows: number;
  readonly bytes: number;
  readonly transactions: number;
  /** From the start of the first transaction to the end of the last one. */
  readonly elapsedMs: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** CPU of all processes in that time, in microseconds. */
  readonly cpuUs: number;
  /** Spent in the transactions. */
  readonly tookMs: number;
}

const LOOK_EVERY_MS = 10;
/** Nothing has moved for so long: the measurement has failed. */
const STALL_MS = 60_000;

const WORDS = {
  delivered: { event: 'delivered', took: 'transactionMs' },
  moved: { event: 'moved', took: 'appendMs' },
} as const;

class Follower {
  readonly #app: App;
  #seen: LogLine | undefined;

  constructor(app: App) {
    this.#app = app;
  }

  /** Lines printed since the last call. */
  news(): readonly LogLine[] {
    const { log } = this.#app;
    const from = this.#seen === undefined ? 0 : log.lastIndexOf(this.#seen) + 1;
    this.#seen = log.at(-1) ?? this.#seen;
    return log.slice(from);
  }
}

/** Resolves when the processes have together done `rows` rows. Rejects when one ends or nothing moves any more. */
export async function tally(apps: readonly App[], what: keyof typeof WORDS, rows: number): Promise<TallyResult> {
  const { event, took } = WORDS[what];
  const followers = apps.map((app) => new Follower(app));
  const sum = { rows: 0, bytes: 0, transactions: 0, tookMs: 0, firstMs: Number.POSITIVE_INFINITY, lastMs: 0 };
  let cpuAtFirst: number | null = null;
  let movedAtMs = performance.now();
  for (;;) {
    const lines = followers
      .flatMap((follower) => follower.news())
      .filter((line) => line.event === event && took in line);
    if (lines.length > 0) {
      movedAtMs = performance.now();
      cpuAtFirst ??= sumOfCpu(apps);
    }
    for (const line of lines) {
      const endMs = Number(line.time);
      sum.rows += Number(line.rows);
      sum.bytes += Number(line.bytes);
      sum.transactions += 1;
      sum.tookMs += Number(line[took]);
      sum.firstMs = Math.min(sum.firstMs, endMs - Number(line[took]));
      sum.lastMs = Math.max(sum.lastMs, endMs);
    }
    if (sum.rows >= rows) {
      return { ...sum, elapsedMs: sum.lastMs - sum.firstMs, cpuUs: sumOfCpu(apps) - (cpuAtFirst ?? 0) };
    }
    const ended = apps.find((app) => !app.running);
    if (ended) throw new Error(`a process ended:\n${ended.output()}`);
    if (performance.now() - movedAtMs > STALL_MS)
      throw new Error(`${event}: ${sum.rows} of ${rows} rows, then nothing`);
    await sleep(LOOK_EVERY_MS);
  }
}

const sumOfCpu = (apps: readonly App[]): number => apps.reduce((sum, app) => sum + cpuUs(app.pid), 0);
