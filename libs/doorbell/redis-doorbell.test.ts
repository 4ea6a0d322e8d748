/** The doorbell over a redis-server of the test's own, which it pauses, kills and restarts. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { createRedisDoorbell } from '#doorbell';
import type { Doorbell, DoorbellRing } from '#outbox';
import { targetOf } from '#redis';
import { silentLogger, systemClock } from '#runtime';
import { doorbellContract, type OwnRedis, startOwnRedis, until } from '#testkit';

let server: OwnRedis;
before(async () => {
  server = await startOwnRedis();
});
after(() => server.stop());

let prefixes = 0;
function freshPrefix(): string {
  prefixes += 1;
  return `krs-test-${process.pid}-${prefixes}`;
}

const opened: Doorbell[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((doorbell) => doorbell.close()));
});

function open(prefix: string): Doorbell {
  const doorbell = createRedisDoorbell({ redis: targetOf(server.url), prefix, logger: silentLogger });
  opened.push(doorbell);
  return doorbell;
}

async function subscribers(prefix: string): Promise<number> {
  const [, count] = await server.client().pubsub('NUMSUB', `${prefix}:doorbell`);
  return Number(count);
}

async function pair(prefix = freshPrefix()): Promise<readonly [Doorbell, Doorbell]> {
  const ends = [open(prefix), open(prefix)] as const;
  await until('both to listen', async () => (await subscribers(prefix)) === 2, 3000);
  return ends;
}

doorbellContract({ name: 'redis', pair: () => pair() });

function record(doorbell: Doorbell): DoorbellRing[] {
  const heard: DoorbellRing[] = [];
  doorbell.listen((ring) => void heard.push(ring));
  return heard;
}

test('I7: without Redis rings are dropped in silence, heard at home, and heard again when it is back', async () => {
  const prefix = freshPrefix();
  const [one, other] = await pair(prefix);
  const [near, far] = [record(one), record(other)];
  await server.kill();
  one.ring({ kind: 'rows', lanes: [1] });
  await until('the own ring', () => near.length === 1, 1000);
  await server.restart();
  await until('both to listen again', async () => (await subscribers(prefix)) === 2, 5000);
  // The ringing connection comes back by itself, maybe later than the listening ones: until then rings are dropped.
  const ringAgain = () => {
    one.ring({ kind: 'rows', lanes: [2] });
    return far.length > 0;
  };
  await until('the ring', ringAgain, 5000);
  assert.deepEqual(far[0], { kind: 'rows', lanes: [2] });
});

test('a Redis that hangs delays nobody, and what was rung meanwhile is merged', async () => {
  const prefix = freshPrefix();
  const [one, other] = await pair(prefix);
  const far = record(other);
  server.pause();
  const startedMs = systemClock.nowMs();
  for (let lane = 0; lane < 1000; lane += 1) {
    one.ring({ kind: 'rows', lanes: [lane] });
    if (lane % 100 === 0) await systemClock.sleep(1);
  }
  assert.ok(systemClock.nowMs() - startedMs < 500);
  server.resume();
  await until('the last lane', () => far.some((ring) => 'lanes' in ring && ring.lanes.includes(999)), 5000);
  assert.ok(far.length <= 5, `${far.length} messages`);
  await Promise.all([one.close(), other.close()]);
});

test('closing does not wait for a Redis that hangs', async () => {
  const [one, other] = await pair();
  server.pause();
  one.ring({ kind: 'lanes-changed' });
  const startedMs = systemClock.nowMs();
  await Promise.all([one.close(), other.close()]);
  assert.ok(systemClock.nowMs() - startedMs < 2500);
  server.resume();
});

test('strangers on the channel are ignored', async () => {
  const prefix = freshPrefix();
  const [one, other] = await pair(prefix);
  const heard = record(other);
  const stranger = server.client();
  await stranger.publish(`${prefix}:doorbell`, 'not json');
  await stranger.publish(`${prefix}:doorbell`, '{"v":1,"from":"x","rings":[{"kind":"rows","lanes":[99999]}]}');
  one.ring({ kind: 'lanes-changed' });
  await until('the ring', () => heard.length > 0, 2000);
  assert.deepEqual(heard, [{ kind: 'lanes-changed' }]);
  await Promise.all([one.close(), other.close()]);
});
