/** Taking lanes over: what a claim is worth when its taker was slow. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '#runtime';
import { createFakeDoorbells, createFakeStore, FakeKafka, FakeOutboxTables } from '#testkit';
import type { SenderEvent } from './events.ts';
import { laneFloor, outboxId } from './lane.ts';
import type { LaneClaim, OutboxRow } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { claimLanes, loadAside, takeClaimedLanes } from './take-lanes.ts';

const LEASE_MS = 1_000;
const LANE = 0;

async function claim(options: SenderOptions, lanes: readonly number[]): Promise<LaneClaim[]> {
  const claims: LaneClaim[] = [];
  await claimLanes(options, lanes, lanes.length, claims);
  return claims;
}

/** Two senders on one lane, and a database whose clock the test moves. */
async function twoSenders(lanes = 1) {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => nowMs, sleep: async () => undefined };
  const kafka = new FakeKafka();
  const tables = new FakeOutboxTables(clock);
  const store = createFakeStore({ tables });
  await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes });
  const tracks = (transactionalId: string) => {
    const events: SenderEvent[] = [];
    const options: SenderOptions = {
      transactionalId,
      store: store.sender,
      kafka: kafka.port(),
      doorbell: createFakeDoorbells().doorbell(),
      clock,
      random: () => 0.5,
      limits: { rowsMax: 5, bytesMax: 1_000 },
      pollIntervalMs: 5,
      leaseMs: LEASE_MS,
      tickMs: 100,
      markerSettleMs: 0,
      markerRefreshMs: 60_000,
      backoff: { baseMs: 1, maxMs: 1 },
      retriesMax: 2,
      rowFaultPolicy: 'dead-letter',
      parkedKeysMax: 2,
      targetPatienceMs: 0,
      waiting: { rowsMax: 100, bytesMax: 1_000_000 },
      trimRowsMax: 10,
      trimIntervalMs: 10,
      onEvent: (event) => events.push(event),
    };
    return { options, events };
  };
  const lapse = () => {
    nowMs += 2 * LEASE_MS;
  };
  return { kafka, tables, store: store.sender, slow: tracks('slow'), quick: tracks('quick'), lapse };
}

describe('a claim that was taken in the meantime (I4)', () => {
  test('is dropped under a new session, also when there was nobody to fence', async () => {
    const { kafka, tables, slow, quick, lapse } = await twoSenders();
    await slow.options.kafka.open('slow');
    const claims = await claim(slow.options, [LANE]);
    assert.deepEqual(claims[0]?.fenceIds, []);
    lapse();
    const session = await quick.options.kafka.open('quick');
    await takeClaimedLanes(quick.options, session, await claim(quick.options, [LANE]));
    const marker = outboxId(LANE, 7);
    tables.watermarks.set('s', { ...(tables.watermarks.get('s') as never as object), nextSequence: 8 } as never);
    await session.transact([], [{ kind: 'lane', lane: LANE, value: marker }]);
    // The slow one lost its session to the fence, opens another, and comes back to the claim it has kept.
    const late = await slow.options.kafka.open('slow');
    assert.deepEqual(await takeClaimedLanes(slow.options, late, claims), []);
    assert.deepEqual(
      slow.events.map(({ kind }) => kind),
      ['lane-lost'],
    );
    assert.equal(kafka.marker('lane', LANE), marker);
  });

  test('does not halt the lane of its new holder (I8)', async () => {
    const { kafka, store, tables, slow, quick, lapse } = await twoSenders();
    const [old] = (await claim(slow.options, [LANE])) as [LaneClaim];
    assert.equal(await store.clearFences(LANE, old.claimEpoch), true);
    lapse();
    const session = await quick.options.kafka.open('quick');
    await takeClaimedLanes(quick.options, session, await claim(quick.options, [LANE]));
    assert.equal(kafka.marker('lane', LANE), laneFloor(LANE));
    assert.equal(await store.haltLane(LANE, old.claimEpoch, 'a marker for a lane that never delivered'), false);
    assert.equal(tables.lanes.get(LANE)?.state, 'running');
  });
});

describe('claiming', () => {
  test('what was claimed before a fault is not forgotten', async () => {
    const { slow } = await twoSenders(2);
    const { store } = slow.options;
    let calls = 0;
    const claimLane: typeof store.claimLane = (lane, holder, leaseMs) => {
      calls += 1;
      return calls === 1 ? store.claimLane(lane, holder, leaseMs) : Promise.reject(new Error('the database went away'));
    };
    const faulty = new Proxy(store, {
      get: (all, name) => (name === 'claimLane' ? claimLane : Reflect.get(all, name)),
    });
    const claims: LaneClaim[] = [];
    await assert.rejects(claimLanes({ ...slow.options, store: faulty }, [0, 1], 2, claims));
    assert.equal(claims.length, 1);
  });
});

describe('rows set aside, as a holder reads them (I5)', () => {
  const row = (lane: number, sequence: number): OutboxRow => ({
    id: outboxId(lane, sequence),
    eventId: `s:${sequence}`,
    topic: 't',
    key: Buffer.from(`key ${sequence}`),
    value: null,
    headers: null,
    size: 1,
  });

  test('no head is hidden by those of another lane', async () => {
    const { store, quick } = await twoSenders(2);
    const session = await quick.options.kafka.open('quick');
    const claims = await claim(quick.options, [0, 1]);
    const holds = await takeClaimedLanes(quick.options, session, claims);
    const [low, high] = holds.toSorted((a, b) => a.lane - b.lane);
    assert.ok(low && high);
    // The lower lane alone has more heads than all lanes together may have.
    const many = Array.from({ length: 9 }, (_, at) => row(low.lane, at + 1));
    const aside = (rows: OutboxRow[]) =>
      rows.map((one) => ({ row: one, state: 'parked', error: '', dueInMs: 0 }) as const);
    await store.setAside(low.lane, low.claimEpoch, aside(many));
    await store.setAside(high.lane, high.claimEpoch, aside([row(high.lane, 1)]));
    await loadAside(quick.options, session, holds);
    assert.equal(high.parked.size, 1);
    assert.ok(low.parked.size > quick.options.parkedKeysMax, 'seen to be more than a lane may have, which halts it');
  });
});
