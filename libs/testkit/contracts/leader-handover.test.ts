/** Election and doorbell together over Redis: a clean stop hands leadership over at once, not after the next poll. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRedisDoorbell } from '#doorbell';
import { createRedisElection } from '#leader-election';
import { targetOf } from '#redis';
import { silentLogger, systemClock } from '#runtime';
import { type OwnRedis, startOwnRedis, until } from '#testkit';

let server: OwnRedis;
before(async () => {
  server = await startOwnRedis();
});
after(() => server.stop());

test("a standby that waits for the ring leads within a second of the leader's clean stop", async () => {
  const options = { prefix: `krs-test-${process.pid}`, logger: silentLogger };
  const member = () => {
    const doorbell = createRedisDoorbell({ ...options, redis: targetOf(server.url) });
    const election = createRedisElection({
      ...options,
      redis: targetOf(server.url),
      ttlMs: 10_000,
      database: null,
      doorbell,
    });
    return { doorbell, election };
  };
  const [leader, standby] = [member(), member()];
  await until('a leader', () => leader.election.tryAcquire('orders'), 3000);
  assert.equal(await standby.election.tryAcquire('orders'), null);
  const rung = new Promise<void>((resolve) => {
    standby.doorbell.listen((ring) => {
      if (ring.kind === 'leader-gone' && ring.source === 'orders') resolve();
    });
  });
  const channel = `${options.prefix}:doorbell`;
  await until('both to listen', async () => (await server.client().pubsub('NUMSUB', channel))[1] === 2, 3000);
  const stoppedMs = systemClock.nowMs();
  await leader.election.close();
  await leader.doorbell.close();
  await rung;
  assert.ok(await standby.election.tryAcquire('orders'), 'the lock is free when the ring is heard');
  assert.ok(systemClock.nowMs() - stoppedMs < 1000);
  await standby.election.close();
  await standby.doorbell.close();
});
