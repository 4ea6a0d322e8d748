/** The protocol under simulated faults: thousands of seeds, each a world of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scenarioOf } from './draw-scenario.ts';
import { reportFailure } from './report-failure.ts';
import { runSeeds } from './run-seeds.ts';
import { simulate } from './simulate.ts';

const SEEDS_DEFAULT = 20_000;
/** Set, it says how many seeds to simulate, however long that takes; `npm run simulate -- --seeds N` does the same. */
const wanted = process.env.KRS_TEST_SIMULATION_SEEDS;
const SEEDS = wanted === undefined ? SEEDS_DEFAULT : Number(wanted);
/**
 * By default no more than what fits into two minutes. Where that is fewer, on a slow or busy machine, the test says how many
 * it was and passes: slowness alone breaks no promise.
 */
const FOR_MS = wanted === undefined ? 115_000 : Number.POSITIVE_INFINITY;

describe('simulation', () => {
  test(`I1 to I8 hold in ${SEEDS} simulated worlds`, async (t) => {
    const startedMs = performance.now();
    const done = await runSeeds({ from: 1, count: SEEDS, forMs: FOR_MS });
    const seconds = (performance.now() - startedMs) / 1_000;
    const rate = `${Math.round(done.count / seconds)} a second`;
    t.diagnostic(`${done.count} of ${SEEDS} seeds, ${rate}, ${done.rows} rows, ${done.steps} steps`);
    if (done.count < SEEDS) t.diagnostic(`only ${done.count} of ${SEEDS} seeds fit into ${seconds.toFixed(0)} s`);
    const [first] = done.failures;
    if (first !== undefined) assert.fail(await reportFailure(first.seed));
    if (wanted !== undefined) assert.equal(done.count, SEEDS);
    assert.ok(done.count > 0);
  });

  test('the same seed is the same world, step by step', async () => {
    const [one, other] = [
      await simulate(scenarioOf(7), { traceLines: 500 }),
      await simulate(scenarioOf(7), { traceLines: 500 }),
    ];
    assert.ok(one.steps > 100);
    assert.deepEqual(one, other);
  });

  test('what a seed does depends on no world before it, nor on being traced', async () => {
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    const run = async (seed: number, traceLines: number) => {
      const { steps, virtualMs, rows } = await simulate(scenarioOf(seed), { traceLines });
      return [seed, { steps, virtualMs, rows }] as const;
    };
    const upwards = new Map<number, object>();
    for (const seed of seeds) upwards.set(...(await run(seed, 0)));
    for (const seed of seeds.toReversed()) assert.deepEqual(await run(seed, 10), [seed, upwards.get(seed)]);
  });
});
