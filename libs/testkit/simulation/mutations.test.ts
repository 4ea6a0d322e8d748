/** The proof that the simulation would notice if a step of the protocol were left out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scenarioOf } from './draw-scenario.ts';
import { MUTATIONS } from './mutations.ts';
import { simulate } from './simulate.ts';

describe('mutations of the protocol', () => {
  for (const mutation of MUTATIONS) {
    test(`found: ${mutation.name}`, async (t) => {
      for (let seed = 1; seed <= mutation.seedsMax; seed += 1) {
        const { violation } = await simulate(scenarioOf(seed, mutation.theme), { mutation });
        if (violation === null) continue;
        t.diagnostic(`by seed ${seed} of at most ${mutation.seedsMax}: ${violation.message}`);
        return;
      }
      assert.fail(`not found in ${mutation.seedsMax} seeds: the simulation is too weak`);
    });
  }
});
