/** What every Doorbell must do, run on the fake, in memory and over Redis. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Doorbell, DoorbellRing } from '#outbox';
import { until } from '../until.ts';

export interface DoorbellHarness {
  readonly name: string;
  /** Two ends that hear each other already; a doorbell of one process gives the same end twice. */
  pair(): Promise<readonly [Doorbell, Doorbell]>;
}

const HEARD_WITHIN_MS = 2000;

function record(doorbell: Doorbell): DoorbellRing[] {
  const heard: DoorbellRing[] = [];
  doorbell.listen((ring) => void heard.push(ring));
  return heard;
}

const lanesOf = (rings: readonly DoorbellRing[], kind: 'rows' | 'retry-due') =>
  rings.flatMap((ring) => (ring.kind === kind ? ring.lanes : [])).sort((left, right) => left - right);

type Check = (title: string, body: (one: Doorbell, other: Doorbell) => Promise<void>) => void;

function checkWith(harness: DoorbellHarness): Check {
  return (title, body) =>
    test(`${harness.name}: ${title}`, async () => {
      const [one, other] = await harness.pair();
      try {
        await body(one, other);
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });
}

export function doorbellContract(harness: DoorbellHarness): void {
  const check = checkWith(harness);
  edgeContract(check);

  check('a ring of each kind is heard by every listener, once, the ringer included', async (one, other) => {
    const [near, far] = [record(one), record(other)];
    const rings: DoorbellRing[] = [
      { kind: 'leader-gone', source: 'orders' },
      { kind: 'lanes-changed' },
      { kind: 'rows', lanes: [3] },
      { kind: 'retry-due', lanes: [1023] },
    ];
    for (const ring of rings) one.ring(ring);
    await until(
      'all kinds to be heard',
      () => far.length >= rings.length && near.length >= rings.length,
      HEARD_WITHIN_MS,
    );
    const sorted = (heard: readonly DoorbellRing[]) => heard.map((ring) => JSON.stringify(ring)).sort();
    assert.deepEqual(sorted(far), sorted(rings));
    assert.deepEqual(sorted(near), sorted(rings));
  });

  check('rings for rows in one turn are merged into one', async (one, other) => {
    const heard = record(other);
    for (const lanes of [[1], [2, 3], [1, 4]]) one.ring({ kind: 'rows', lanes });
    await until('the ring', () => heard.length > 0, HEARD_WITHIN_MS);
    assert.equal(heard.length, 1);
    assert.deepEqual(lanesOf(heard, 'rows'), [1, 2, 3, 4]);
  });

  check("nothing is lost or doubled at a rate far above the network's", async (one, other) => {
    const heard = record(other);
    for (let lane = 0; lane < 500; lane += 1) {
      one.ring({ kind: 'rows', lanes: [lane] });
      if (lane % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the last lane', () => lanesOf(heard, 'rows').at(-1) === 499, HEARD_WITHIN_MS);
    assert.equal(lanesOf(heard, 'rows').length, 500);
    assert.ok(heard.length < 500, 'merged');
  });
}

function edgeContract(check: Check): void {
  check('a listener that stopped hears nothing, one that throws harms nobody', async (one, other) => {
    const silent: DoorbellRing[] = [];
    const stop = other.listen((ring) => void silent.push(ring));
    other.listen(() => {
      throw new Error('a listener at fault');
    });
    const heard = record(other);
    stop();
    stop();
    one.ring({ kind: 'lanes-changed' });
    await until('the ring', () => heard.length > 0, HEARD_WITHIN_MS);
    assert.deepEqual(silent, []);
  });

  check('the last ring before close goes out, one after it does nothing', async (one, other) => {
    if (one === other) return;
    const heard = record(other);
    one.ring({ kind: 'leader-gone', source: 'orders' });
    await Promise.all([one.close(), one.close()]);
    one.ring({ kind: 'lanes-changed' });
    await until('the last ring', () => heard.length > 0, HEARD_WITHIN_MS);
    assert.deepEqual(heard, [{ kind: 'leader-gone', source: 'orders' }]);
  });
}
