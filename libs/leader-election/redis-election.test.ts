/** The Redis election against a redis-server of the test's own, which it pauses, empties, kills and restarts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { createRedisElection } from '#leader-election';
import { targetOf } from '#redis';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { electionContract, type OwnRedis, startOwnRedis, until } from '#testkit';

const TTL_MS = 2000;
const prefix = `krs-test-${process.pid}`;
let server: OwnRedis;
let admin: ReturnType<OwnRedis['client']>;
before(async () => {
  server = await startOwnRedis();
  admin = server.client();
});
after(() => server.stop());

const DEAF = { ring: () => undefined };

function candidate(doorbell: Parameters<typeof createRedisElection>[0]['doorbell'] = DEAF, ttlMs = TTL_MS) {
  return createRedisElection({
    redis: targetOf(server.url),
    prefix,
    ttlMs,
    database: null,
    logger: silentLogger,
    doorbell,
  });
}

const key = (source: string) => `${prefix}:leader:${source}`;

electionContract({
  name: 'redis',
  lapseMs: TTL_MS,
  candidate: (doorbell) => candidate(doorbell),
  leaderToKill: async (source) => {
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        new URL('./hold-lock.child.ts', import.meta.url).pathname,
        ...[server.url, prefix, source, String(TTL_MS)],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = await once(child.stdout, 'data');
    assert.equal(String(line), 'leading\n');
    return { kill: () => void child.kill('SIGKILL') };
  },
  service: {
    isLocked: async (source) => (await admin.exists(key(source))) === 1,
    flush: () => server.flush(),
    steal: async (source) => void (await admin.set(key(source), 'a stranger', 'PX', 60_000)),
    setAway: async (away) => (away ? server.pause() : server.resume()),
  },
});

test('a killed and restarted Redis: the leader goes on, is first back, and says when it is unproven', async () => {
  const [first, second] = [candidate(), candidate()];
  const term = await until('to lead', () => first.tryAcquire('restarted'), 2000);
  assert.equal(term.proven, true);
  await server.kill();
  await until('to be unproven', () => !term.proven, TTL_MS);
  assert.equal(term.signal.aborted, false);
  assert.equal(await second.tryAcquire('restarted'), null);
  await server.restart();
  await until('to be proven again', () => term.proven, TTL_MS);
  assert.equal(await second.tryAcquire('restarted'), null);
  assert.equal(await admin.exists(key('restarted')), 1);
  await Promise.all([first.close(), second.close()]);
});

test('a lock that would outlive its leader by an hour, since the clock of Redis went back, lapses within a TTL', async () => {
  const standby = candidate();
  await admin.set(key('set-back'), 'a leader that died', 'PX', 3_600_000);
  const startedMs = systemClock.nowMs();
  const term = await until('to lead', () => standby.tryAcquire('set-back'), 3 * TTL_MS);
  assert.ok(systemClock.nowMs() - startedMs > TTL_MS / 2, 'not before the leader, if it lives, could have renewed it');
  await term.release();
  await standby.close();
});

test('without Redis nobody is elected, nothing throws, and an attempt is short', async () => {
  await server.kill();
  const alone = candidate();
  assert.equal(await alone.tryAcquire('nobody'), null);
  const startedMs = systemClock.nowMs();
  assert.equal(await alone.tryAcquire('nobody'), null);
  assert.ok(systemClock.nowMs() - startedMs < 50, 'the second attempt does not wait for the connection');
  await server.restart();
  await until('to lead once Redis is there', () => alone.tryAcquire('nobody'), 3000);
  await server.kill();
  const closingMs = systemClock.nowMs();
  await alone.close();
  assert.ok(systemClock.nowMs() - closingMs < TTL_MS, 'closing does not wait for Redis');
  await server.restart();
});

test("an attempt on a held lock is one command, and keeps the holder's lock", async () => {
  const [first, second] = [candidate(DEAF, 60_000), candidate(DEAF, 60_000)];
  assert.ok(await first.tryAcquire('busy'));
  await second.tryAcquire('busy');
  await admin.config('RESETSTAT');
  for (let round = 0; round < 5; round += 1) assert.equal(await second.tryAcquire('busy'), null);
  const stats = await admin.info('commandstats');
  assert.match(stats, /cmdstat_pttl:calls=5,/);
  assert.doesNotMatch(stats, /cmdstat_(eval|evalsha|set|get|pexpire|exists):/);
  await Promise.all([first.close(), second.close()]);
});

test('a TTL that leaves no time to trust is refused', () => {
  assert.throws(
    () => candidate(DEAF, 1999),
    (error) => error instanceof RelayError && error.code === 'CONFIG_INVALID',
  );
});
