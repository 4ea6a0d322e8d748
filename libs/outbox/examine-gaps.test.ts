/** How gaps are closed: many in few probes, none without an unbroken row of empty ones. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '#runtime';
import { examineGaps } from './examine-gaps.ts';
import { GapSet } from './gap-set.ts';
import type { PositionRange, ProbeOutcome, SourceReader } from './ports.ts';

const GRACE_MS = 1_000;
const PROBES_MAX = 32;

/** A source whose open rows are known, and a clock that stands until it is moved. */
class World {
  nowMs = 0;
  probes = 0;
  readonly open = new Set<bigint>();
  closed = 0;
  readonly #clock: Clock = { nowMs: () => this.nowMs, wallMs: () => 0, sleep: async () => undefined };

  async examine(gaps: GapSet): Promise<GapSet> {
    const probe = async (...ranges: readonly PositionRange[]): Promise<ProbeOutcome> => {
      this.probes += 1;
      const inside = (position: bigint) => ranges.some(({ from, to }) => position >= from && position <= to);
      return [...this.open].some(inside) ? 'locked' : 'empty';
    };
    const reader = { gapMode: 'locks', probe } as unknown as SourceReader;
    const onClosed = () => {
      this.closed += 1;
    };
    const options = { reader, clock: this.#clock, gapGraceMs: GRACE_MS, probesMax: PROBES_MAX, onClosed };
    return examineGaps(options, gaps, this.nowMs);
  }
}

const singles = (count: number): GapSet =>
  GapSet.restore(
    Array.from({ length: count }, (_, index) => ({ from: BigInt(index * 2 + 1), to: BigInt(index * 2 + 1) })),
    0,
  );

describe('examineGaps', () => {
  it('I1: closes a gap after empty probes through a whole grace, not before', async () => {
    const world = new World();
    let gaps = singles(1);
    for (const [atMs, left] of [
      [0, 1],
      [500, 1],
      [999, 1],
      [1_000, 0],
    ] as const) {
      world.nowMs = atMs;
      gaps = await world.examine(gaps);
      assert.equal(gaps.size, left, `at ${atMs} ms`);
    }
    assert.equal(world.closed, 1);
  });

  it('I1: empty probes with a long standstill between them prove nothing together', async () => {
    const world = new World();
    let gaps = await world.examine(singles(1));
    // Server or writer stood still: an insert may stand where it stood before.
    world.nowMs = 30_000;
    gaps = await world.examine(gaps);
    assert.equal(gaps.size, 1);
    world.nowMs = 30_500;
    gaps = await world.examine(gaps);
    assert.equal(gaps.size, 1);
    world.nowMs = 31_000;
    gaps = await world.examine(gaps);
    assert.equal(gaps.size, 0);
  });

  it('settles thousands of dead gaps with a few probes', async () => {
    const world = new World();
    let gaps = singles(3_000);
    for (const atMs of [0, 500, 1_000]) {
      world.nowMs = atMs;
      gaps = await world.examine(gaps);
    }
    assert.equal(gaps.size, 0);
    assert.ok(world.probes <= 3 * PROBES_MAX, `${world.probes} probes`);
  });

  it('finds the open ones among the dead, within its bound of probes', async () => {
    const world = new World();
    world.open.add(7n);
    world.open.add(181n);
    let gaps = singles(200);
    for (let atMs = 0; atMs <= 3_000; atMs += 100) {
      world.nowMs = atMs;
      const before = world.probes;
      gaps = await world.examine(gaps);
      assert.ok(world.probes - before <= PROBES_MAX);
    }
    assert.deepEqual(
      gaps.ranges().map(({ from }) => from),
      [7n, 181n],
    );
  });
});
