/** A worker thread that simulates ranges of seeds, one after another, and tells which of them broke a promise. */
import { parentPort } from 'node:worker_threads';
import { scenarioOf } from './draw-scenario.ts';
import type { RangeDone, SeedRange } from './run-seeds.ts';
import { simulate } from './simulate.ts';

if (parentPort === null) throw new Error('this file is a worker thread of run-seeds.ts');
const port = parentPort;
// Faults are thrown by the thousand here, and nobody reads where.
Error.stackTraceLimit = 0;

async function simulateRange({ from, count }: SeedRange): Promise<RangeDone> {
  const failures: RangeDone['failures'][number][] = [];
  let steps = 0;
  let rows = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const outcome = await simulate(scenarioOf(seed));
    steps += outcome.steps;
    rows += outcome.rows;
    if (outcome.violation !== null) {
      failures.push({ seed, message: outcome.violation.message });
      return { count: seed - from + 1, steps, rows, failures };
    }
    // A rejection that nobody caught shows up here, as the worker's end.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { count, steps, rows, failures };
}

port.on('message', (range: SeedRange) => {
  simulateRange(range).then(
    (done) => port.postMessage(done),
    (error: unknown) => {
      throw error;
    },
  );
});
