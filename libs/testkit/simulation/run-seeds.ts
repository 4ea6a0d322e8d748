/** Simulates many seeds on all cores, until all are done, the time is up, or one has failed. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

export interface SeedRange {
  readonly from: number;
  readonly count: number;
}

export interface SeedFailure {
  readonly seed: number;
  readonly message: string;
}

export interface RangeDone {
  readonly count: number;
  readonly steps: number;
  readonly rows: number;
  readonly failures: readonly SeedFailure[];
}

export interface RunSeedsRequest extends SeedRange {
  readonly workers?: number;
  /** No range is begun after this many milliseconds. */
  readonly forMs?: number;
  readonly onProgress?: (so: RangeDone) => void;
  readonly signal?: AbortSignal;
}

const RANGE_SEEDS = 50;
/** Worlds are short-lived garbage: room for many of them between two collections. */
const YOUNG_MB = 64;
const WORKER = new URL('./seeds.child.ts', import.meta.url);

/** Rejects when a worker dies, for example of a rejection that the core let go unhandled. */
export async function runSeeds(request: RunSeedsRequest): Promise<RangeDone> {
  const endsAtMs = performance.now() + (request.forMs ?? Number.POSITIVE_INFINITY);
  const end = request.from + request.count;
  let next = request.from;
  let sum: RangeDone = { count: 0, steps: 0, rows: 0, failures: [] };
  const take = (): SeedRange | null => {
    const over = performance.now() > endsAtMs || sum.failures.length > 0 || request.signal?.aborted === true;
    if (over || next >= end) return null;
    const range = { from: next, count: Math.min(RANGE_SEEDS, end - next) };
    next += range.count;
    return range;
  };
  const add = (done: RangeDone) => {
    sum = {
      count: sum.count + done.count,
      steps: sum.steps + done.steps,
      rows: sum.rows + done.rows,
      failures: [...sum.failures, ...done.failures],
    };
    request.onProgress?.(sum);
  };
  const workers = Math.max(1, request.workers ?? availableParallelism());
  await Promise.all(Array.from({ length: workers }, () => work(take, add)));
  return sum;
}

function work(take: () => SeedRange | null, add: (done: RangeDone) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    let current: SeedRange | null = null;
    const goOn = () => {
      current = take();
      if (current === null) void worker.terminate();
      else worker.postMessage(current);
    };
    worker.on('message', (done: RangeDone) => {
      add(done);
      goOn();
    });
    worker.on('error', (error) => {
      const seeds = current === null ? '' : ` among seeds ${current.from} to ${current.from + current.count - 1}`;
      reject(new Error(`a simulation ended${seeds}: ${String(error)}`, { cause: error }));
    });
    worker.on('exit', () => resolve());
    goOn();
  });
}
