/** The store contract: members, claims, leases, fences. */
import assert from 'node:assert/strict';
import { type LaneClaim, laneFloor, outboxId } from '#outbox';
import { START, type StoreCheck, type StoreSide, type StoreWorld } from './store-contract-world.ts';

const LEASE_MS = 15_000;

async function claim({ sender }: StoreSide, holder: string, lane = 0): Promise<LaneClaim> {
  const claimed = await sender.claimLane(lane, holder, LEASE_MS);
  assert.ok(claimed !== null, `lane ${lane} is free for ${holder}`);
  return claimed;
}

const register = ({ one }: StoreWorld, lanes = 1) => one.writer.registerSource({ source: 'orders', ...START, lanes });

export function checkLanes(check: StoreCheck): void {
  checkMembers(check);
  checkClaims(check);
  checkReleases(check);
  checkFences(check);
  checkRenewals(check);
  checkHalts(check);
}

function checkMembers(check: StoreCheck): void {
  check('members live by their heartbeats, kind by kind', async ({ one, other, elapse }) => {
    assert.deepEqual(await one.sender.heartbeat({ id: 's2', kind: 'sender' }, 10_000), ['s2']);
    assert.deepEqual(await other.sender.heartbeat({ id: 's1', kind: 'sender' }, 10_000), ['s1', 's2']);
    assert.deepEqual(await other.sender.heartbeat({ id: 's1', kind: 'writer' }, 10_000), ['s1']);
    await elapse(6_000);
    assert.deepEqual(await one.sender.heartbeat({ id: 's2', kind: 'sender' }, 10_000), ['s1', 's2']);
    await elapse(6_000);
    assert.deepEqual(await one.sender.heartbeat({ id: 's2', kind: 'sender' }, 10_000), ['s2']);
    assert.deepEqual(await other.sender.heartbeat({ id: 's1', kind: 'sender' }, 10_000), ['s1', 's2']);
    await other.sender.leave('s1');
    assert.deepEqual(await one.sender.heartbeat({ id: 's2', kind: 'sender' }, 10_000), ['s2']);
  });
}

function checkClaims(check: StoreCheck): void {
  check('a free lane is claimed once, and listed with its holder', async (world) => {
    await register(world);
    const claimed = await claim(world.one, 'a');
    assert.deepEqual(claimed, {
      lane: 0,
      source: 'orders',
      claimEpoch: 1,
      deliveredId: null,
      fenceIds: [],
      formerHolder: null,
    });
    assert.equal(await world.other.sender.claimLane(0, 'b', LEASE_MS), null);
    assert.equal(await world.one.sender.claimLane(0, 'a', LEASE_MS), null, 'not even by its holder');
    assert.equal(await world.one.sender.claimLane(7, 'a', LEASE_MS), null, 'a lane that is not there');
    assert.deepEqual(await world.other.sender.listLanes(), [
      {
        lane: 0,
        source: 'orders',
        deliveredId: null,
        holder: 'a',
        claimEpoch: 1,
        leaseExpired: false,
        state: 'running',
        why: null,
      },
    ]);
  });

  check('of senders that race for lanes each lane goes to one', async (world) => {
    const lanes = await register(world, 8);
    const sides = [world.one, world.other, world.one, world.other];
    const claims = await Promise.all(
      sides.flatMap(({ sender }, index) => lanes.map((lane) => sender.claimLane(lane, `s${index}`, LEASE_MS))),
    );
    const won = claims.filter((each) => each !== null).map(({ lane }) => lane);
    assert.equal(new Set(won).size, won.length);
    // A locked row counts as taken, so that a lane may have stayed free: it is there for the next round.
    for (const lane of lanes.filter((each) => !won.includes(each))) await claim(world.one, 'late', lane);
    assert.ok(
      (await world.one.sender.listLanes()).every(({ holder, claimEpoch }) => holder !== null && claimEpoch === 1),
    );
  });
}

function checkReleases(check: StoreCheck): void {
  check('a lane given back is free without fences, and keeps what was delivered', async (world) => {
    await register(world);
    const first = await claim(world.one, 'a');
    assert.equal(await world.one.sender.recordMarkerWritten(0, first.claimEpoch, laneFloor(0)), true);
    assert.equal(await world.one.sender.releaseLane(0, first.claimEpoch, outboxId(0, 9)), true);
    assert.equal(await world.one.sender.releaseLane(0, first.claimEpoch, outboxId(0, 10)), false);
    const second = await claim(world.other, 'b');
    assert.deepEqual(
      [second.claimEpoch, second.fenceIds, second.formerHolder, second.deliveredId],
      [2, [], null, outboxId(0, 9)],
    );
    assert.equal(await world.other.sender.releaseLane(0, second.claimEpoch, outboxId(0, 4)), true);
    assert.equal((await world.one.sender.listLanes())[0]?.deliveredId, outboxId(0, 9), 'never back');
  });

  check('a lane given back before its first marker has still none', async (world) => {
    await register(world, 2);
    const { claimEpoch } = await claim(world.one, 'a', 1);
    assert.equal(await world.one.sender.releaseLane(1, claimEpoch, laneFloor(1)), true);
    assert.equal((await claim(world.one, 'a', 1)).deliveredId, null);
  });

  check('what a claim proved is over when the lane is given back', async (world) => {
    await register(world);
    const { claimEpoch } = await claim(world.one, 'a');
    await world.one.sender.releaseLane(0, claimEpoch, laneFloor(0));
    assert.equal(await world.one.sender.clearFences(0, claimEpoch), false);
    assert.equal(await world.one.sender.recordMarkerWritten(0, claimEpoch, outboxId(0, 1)), false);
    assert.equal(await world.one.sender.haltLane(0, claimEpoch, 'late'), false);
    assert.deepEqual(await world.one.sender.renewLeases([{ lane: 0, claimEpoch }], LEASE_MS), []);
    assert.deepEqual((await world.one.sender.listLanes())[0]?.deliveredId, null);
  });
}

function checkFences(check: StoreCheck): void {
  check('I4: a lane whose lease ran out is taken over with its holder to be fenced', async (world) => {
    await register(world);
    const first = await claim(world.one, 'a');
    await world.elapse(LEASE_MS - 1_000);
    assert.equal(await world.other.sender.claimLane(0, 'b', LEASE_MS), null);
    await world.elapse(2_000);
    assert.equal((await world.other.sender.listLanes())[0]?.leaseExpired, true);
    const second = await claim(world.other, 'b');
    assert.deepEqual([second.fenceIds, second.formerHolder, second.claimEpoch], [['a'], 'a', 2]);
    assert.equal(await world.one.sender.clearFences(0, first.claimEpoch), false, 'the former holder has no say');
    assert.equal(await world.one.sender.releaseLane(0, first.claimEpoch, outboxId(0, 1)), false);
    assert.equal(await world.other.sender.clearFences(0, second.claimEpoch), true);
    assert.equal(await world.other.sender.clearFences(0, second.claimEpoch), true, 'also when there are none');
  });

  check('I4: a taker that dies before it has fenced leaves both ids to the next one', async (world) => {
    await register(world);
    await claim(world.one, 'a');
    await world.elapse(LEASE_MS + 1);
    await claim(world.one, 'b');
    await world.elapse(LEASE_MS + 1);
    const third = await claim(world.other, 'c');
    assert.deepEqual([third.fenceIds, third.formerHolder], [['a', 'b'], 'b']);
    await world.elapse(LEASE_MS + 1);
    const again = await claim(world.one, 'a');
    assert.deepEqual([again.fenceIds, again.formerHolder], [['a', 'b', 'c'], 'c'], 'each id once');
    await world.one.sender.clearFences(0, again.claimEpoch);
    await world.elapse(LEASE_MS + 1);
    assert.deepEqual((await claim(world.other, 'd')).fenceIds, ['a']);
  });

  check('I4: fences left by a taker that gave the lane back unfenced stay in the list', async (world) => {
    await register(world);
    await claim(world.one, 'a');
    await world.elapse(LEASE_MS + 1);
    const taker = await claim(world.one, 'b');
    await world.one.sender.releaseLane(0, taker.claimEpoch, laneFloor(0));
    assert.deepEqual((await claim(world.other, 'c')).fenceIds, ['a']);
  });
}

function checkRenewals(check: StoreCheck): void {
  check('renewed leases run on, and a lane that moved is missing from the answer', async (world) => {
    await register(world, 3);
    const claims = [];
    for (const lane of [0, 1, 2]) claims.push(await claim(world.one, 'a', lane));
    await world.elapse(LEASE_MS - 1_000);
    assert.deepEqual(await world.one.sender.renewLeases(claims, LEASE_MS), [0, 1, 2]);
    await world.elapse(LEASE_MS - 1_000);
    assert.equal(await world.other.sender.claimLane(1, 'b', LEASE_MS), null);
    await world.elapse(2_000);
    await claim(world.other, 'b', 1);
    assert.deepEqual(await world.one.sender.renewLeases(claims, LEASE_MS), [0, 2]);
    const rows = await world.one.sender.listLanes();
    assert.deepEqual(
      rows.map(({ holder, leaseExpired }) => [holder, leaseExpired]),
      [
        ['a', false],
        ['b', false],
        ['a', false],
      ],
    );
    assert.deepEqual(await world.one.sender.renewLeases([], LEASE_MS), []);
  });
}

function checkHalts(check: StoreCheck): void {
  check('I8: a halted lane is neither renewed nor claimed, and its holder stays to be fenced', async (world) => {
    await register(world, 2);
    const claims = [await claim(world.one, 'a', 0), await claim(world.one, 'a', 1)];
    assert.equal(await world.one.sender.haltLane(1, claims[1]?.claimEpoch ?? 0, 'the marker is gone'), true);
    assert.deepEqual(await world.one.sender.renewLeases(claims, LEASE_MS), [0]);
    await world.elapse(LEASE_MS + 1);
    assert.equal(await world.other.sender.claimLane(1, 'b', LEASE_MS), null);
    const row = (await world.other.sender.listLanes())[1];
    assert.deepEqual([row?.state, row?.why, row?.holder], ['halted', 'the marker is gone', 'a']);
    assert.deepEqual((await claim(world.other, 'b', 0)).formerHolder, 'a', 'the other lane goes on');
  });

  check('a verdict made under an old claim halts nothing', async (world) => {
    await register(world);
    const first = await claim(world.one, 'a');
    await world.elapse(LEASE_MS + 1);
    await claim(world.other, 'b');
    assert.equal(await world.one.sender.haltLane(0, first.claimEpoch, 'stale'), false);
    assert.equal((await world.one.sender.listLanes())[0]?.state, 'running');
  });
}
