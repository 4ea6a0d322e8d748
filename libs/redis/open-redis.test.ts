/** The connection's promises, on a redis-server of the test's own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeRedis, openRedis, targetOf, waitUntilReady } from '#redis';
import { type Logger, silentLogger, systemClock, systemRandom } from '#runtime';
import { freePort, type OwnRedis, startOwnRedis } from '#testkit';

let server: OwnRedis;
before(async () => {
  server = await startOwnRedis();
});
after(() => server.stop());

/** Not `events.once`: that one rejects on `error`, which is what an outage looks like. */
function seen(redis: ReturnType<typeof open>, event: string): Promise<void> {
  return new Promise((resolve) => {
    redis.once(event, () => resolve());
  });
}

function open(url: string, logger: Logger = silentLogger) {
  return openRedis({ target: targetOf(url), use: 'test', commandTimeoutMs: 300, logger, random: systemRandom });
}

test('a command fails at once while Redis cannot be reached, and nothing crashes', async () => {
  const redis = open(`redis://127.0.0.1:${await freePort()}`);
  const startedMs = systemClock.nowMs();
  await assert.rejects(redis.ping());
  assert.ok(systemClock.nowMs() - startedMs < 100);
  assert.equal(await waitUntilReady(redis, 200, systemClock), false);
  closeRedis(redis);
});

test('a paused Redis costs one command timeout, then the connection mends itself', async () => {
  const redis = open(server.url);
  assert.equal(await waitUntilReady(redis, 2000, systemClock), true);
  server.pause();
  const startedMs = systemClock.nowMs();
  await assert.rejects(redis.ping());
  assert.ok(systemClock.nowMs() - startedMs < 600);
  const reconnecting = seen(redis, 'reconnecting');
  await reconnecting; // the socket timeout found the peer dead
  server.resume();
  if (redis.status !== 'ready') await seen(redis, 'ready');
  assert.equal(await redis.ping(), 'PONG');
  closeRedis(redis);
});

test('a killed and restarted Redis is found again, reported once each way, without the address', async () => {
  const lines: string[] = [];
  const record = (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`);
  const redis = open(server.url.replace('//', '//:sesame@'), { ...silentLogger, warn: record, info: record });
  await waitUntilReady(redis, 2000, systemClock);
  lines.length = 0;
  await server.kill();
  await seen(redis, 'reconnecting');
  await seen(redis, 'reconnecting');
  // Listening before the restart: the connection may be back before the restart is told to be done.
  const ready = seen(redis, 'ready');
  await server.restart();
  await ready;
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /lost/);
  assert.match(lines[1] ?? '', /back/);
  assert.doesNotMatch(lines.join(), /sesame/);
  closeRedis(redis);
});

test('a wrong password is reported by code and keeps trying, without the password in the log', async () => {
  const admin = server.client();
  await admin.config('SET', 'requirepass', 'right');
  const lines: string[] = [];
  const record = (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`);
  const redis = open(server.url.replace('//', '//:sesame@'), { ...silentLogger, warn: record, info: record });
  assert.equal(await waitUntilReady(redis, 300, systemClock), false);
  await assert.rejects(redis.ping());
  assert.match(lines.join(), /WRONGPASS/);
  assert.doesNotMatch(lines.join(), /sesame/);
  closeRedis(redis);
  await admin.config('SET', 'requirepass', '');
});
