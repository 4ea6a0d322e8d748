/** The same simulated worlds with sources in mode `consume`, whose rows leave their table as they are moved. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scenarioOf } from './draw-scenario.ts';
import type { Mutation } from './mutation.ts';
import type { Scenario } from './scenario.ts';
import { simulate } from './simulate.ts';
import { withWriter } from './wrap-ports.ts';

const SEEDS = 200;

/** A source that begins at the latest row cannot consume: what lies before it would be moved all the same. */
function consuming(seed: number): Scenario {
  const scenario = scenarioOf(seed);
  return {
    ...scenario,
    sources: scenario.sources.map((source) => ({ ...source, startFrom: 'earliest', consumes: true })),
  };
}

test(`I1 to I8 hold in ${SEEDS} simulated worlds that consume`, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await simulate(consuming(seed));
    assert.equal(violation, null, `seed ${seed}: ${violation?.message}`);
  }
});

const LEFT_OUT: readonly Mutation[] = [
  {
    name: 'rows are moved and stay in the table',
    theme: 'any',
    seedsMax: 50,
    writerStore: (store) =>
      withWriter(store, { append: ({ takeOut: _left, ...request }, onUnderWay) => store.append(request, onUnderWay) }),
  },
  {
    name: 'rows are taken out before the transaction, not in it',
    theme: 'any',
    seedsMax: 200,
    writerStore: (store) =>
      withWriter(store, {
        append: async ({ takeOut, ...request }, onUnderWay) => {
          await takeOut?.({});
          return store.append(request, onUnderWay);
        },
      }),
  },
];

for (const mutation of LEFT_OUT) {
  test(`found: ${mutation.name}`, async (t) => {
    for (let seed = 1; seed <= mutation.seedsMax; seed += 1) {
      const { violation } = await simulate(consuming(seed), { mutation });
      if (violation === null) continue;
      t.diagnostic(`by seed ${seed}: ${violation.message}`);
      return;
    }
    assert.fail(`not found in ${mutation.seedsMax} seeds: the simulation is too weak`);
  });
}
