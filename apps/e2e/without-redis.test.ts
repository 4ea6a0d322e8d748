/** Real writers and a sender while Redis is stopped, refuses or is away for one of them: one leads, rows flow, Redis elects again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type App,
  type FaultProxy,
  freePort,
  type OwnRedis,
  spawnApp,
  startOwnRedis,
  startProxy,
  until,
} from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const TIMEOUT = { timeout: 120_000 };
const TTL_S = 3;
const DEADLINE_MS = 30_000;
/** A few TTLs, on a machine that has other things to do. */
const ELECTION_MS = 8 * TTL_S * 1000;

let redis: OwnRedis;
let proxy: FaultProxy;
let world: CliWorld;
let sender: App;
let env: Readonly<Record<string, string>>;
let admin: ReturnType<OwnRedis['client']>;
before(async () => {
  redis = await startOwnRedis();
  admin = redis.client();
  proxy = await startProxy(redis);
  world = await openCliWorld('krs_without_redis');
  env = {
    ...world.env,
    KAFKA_ROW_SENDER_REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    KAFKA_ROW_SENDER_REDIS_PREFIX: world.prefix,
    KAFKA_ROW_SENDER_WRITER_LOCK_TTL: String(TTL_S),
  };
  const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '2'], env);
  assert.equal(code, 0, stderr);
  proxy.cut();
  sender = spawnApp('apps/sender/main.ts', env);
});
after(async () => {
  await Promise.all([...writers, sender].map((app) => app?.kill()));
  await world?.close();
  await proxy?.stop();
  await redis?.stop();
});

const writers: App[] = [];
function writer(more: Readonly<Record<string, string>> = {}): App {
  const app = spawnApp('apps/writer/main.ts', { ...env, ...more });
  writers.push(app);
  return app;
}

const begun = (app: App) => app.log.filter(({ event }) => event === 'term-begun').length;
const fences = () =>
  writers.flatMap(({ log }) => log).filter(({ event, why }) => event === 'term-ended' && why === 'fenced');

async function kill(app: App): Promise<void> {
  await app.kill();
  writers.splice(writers.indexOf(app), 1);
}

let inserted = 0;
/** More rows, all of them delivered. */
async function rowsFlow(): Promise<void> {
  inserted += 5;
  const rows = Array.from({ length: 5 }, (_, at) => [`c-${inserted + at}`, 1]);
  await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
  const count = async (sql: string) => Number(((await world.db.query(sql))[0] as { n: string }[])[0]?.n);
  const isMoved = async () =>
    (await count('SELECT MAX(position) = (SELECT MAX(id) FROM orders) AS n FROM kafka_row_sender_watermark')) === 1;
  await until('the rows to be moved', isMoved, DEADLINE_MS);
  const isDelivered = async () => (await count('SELECT COUNT(*) AS n FROM kafka_row_sender_outbox')) === 0;
  await until('the rows to be delivered', isDelivered, DEADLINE_MS);
}

const electedBy = async (): Promise<string | null> => {
  const { stdout } = await world.run(['status', '--json'], env);
  return (JSON.parse(stdout) as { sources: { electedBy: string | null }[] }).sources[0]?.electedBy ?? null;
};

test(
  'Redis stopped, then writers started: one leads within a few TTLs and says why; Redis back: it elects again',
  TIMEOUT,
  async () => {
    const port = await freePort();
    const first = writer({ KAFKA_ROW_SENDER_HTTP_PORT: String(port) });
    await first.waitForLog(({ msg }) => msg === 'database connected', DEADLINE_MS);
    const said = await first.waitForLog(({ event }) => event === 'election-fallback', DEADLINE_MS);
    assert.match(
      String(said.msg),
      /leads by the database's lock; Redis gives no usable answer \((ECONN[A-Z]+|EPIPE|CLOSED)\): .+/,
    );
    const second = writer();
    await second.waitForLog(({ event }) => event === 'election-waits', DEADLINE_MS);
    await rowsFlow();
    assert.equal(await electedBy(), 'database');
    const health = await fetch(`http://127.0.0.1:${port}/healthz`);
    assert.equal(health.status, 200);
    assert.match(await health.text(), /leads by the database's lock/);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, /^kafka_row_sender_election_without_redis\{.*source="orders".*\} 1$/m);
    proxy.pass();
    await first.waitForLog(({ event }) => event === 'election-restored', DEADLINE_MS);
    await second.waitForLog(({ event }) => event === 'election-restored', DEADLINE_MS);
    assert.equal(await electedBy(), 'redis');
    assert.deepEqual([begun(first), begun(second)], [1, 0], 'the same term goes on');
    assert.deepEqual(fences(), []);
  },
);

test('Redis lost, then the leader killed: the standby leads; nobody fences anybody afterwards', TIMEOUT, async () => {
  const [leader, standby] = writers as [App, App];
  proxy.blackHole();
  await standby.waitForLog(
    ({ event, fallbackInMs }) => event === 'election-waits' && Number(fallbackInMs) > 0,
    DEADLINE_MS,
  );
  await kill(leader);
  await until('the standby to lead', () => begun(standby) === 1, ELECTION_MS);
  await rowsFlow();
  proxy.pass();
  const restored = () => standby.log.filter(({ event }) => event === 'election-restored').length === 2;
  await until('Redis to elect again', restored, DEADLINE_MS);
  assert.equal(await electedBy(), 'redis');
  assert.deepEqual(fences(), []);
});

test('Redis away for the leader alone: a writer that sees Redis leaves it the lead', TIMEOUT, async () => {
  const [leader] = writers as [App];
  proxy.cut();
  await admin.flushall();
  const seeing = writer({ KAFKA_ROW_SENDER_REDIS_URL: redis.url });
  await seeing.waitForLog(({ event }) => event === 'standing-by', DEADLINE_MS);
  await until(
    'the leader to say so',
    () => leader.log.filter(({ event }) => event === 'election-fallback').length >= 2,
    DEADLINE_MS,
  );
  await rowsFlow();
  assert.equal(begun(seeing), 0);
  await leader.stop();
  await until('the other one to lead', () => begun(seeing) === 1, ELECTION_MS);
  await kill(leader);
  await rowsFlow();
  assert.deepEqual(fences(), []);
});

test('a leader that stands still keeps the lock of the database no longer than a TTL', TIMEOUT, async () => {
  const [leader] = writers as [App];
  proxy.cut();
  const standby = writer();
  await standby.waitForLog(
    ({ event, fallbackInMs }) => event === 'election-waits' && Number(fallbackInMs) > 0,
    DEADLINE_MS,
  );
  await admin.flushall();
  leader.pause();
  await until('the standby to lead', () => begun(standby) === 1, ELECTION_MS);
  leader.resume();
  await rowsFlow();
  await kill(leader);
});

test(
  'doctor and config check name what Redis refuses; SIGTERM ends everybody in time with Redis black-holed',
  TIMEOUT,
  async () => {
    proxy.pass();
    await admin.call('ACL', 'SETUSER', 'poor', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-subscribe', '-evalsha');
    const poor = { ...env, KAFKA_ROW_SENDER_REDIS_USERNAME: 'poor', KAFKA_ROW_SENDER_REDIS_PASSWORD: 'pw' };
    const checked = await world.run(['config', 'check'], poor);
    assert.equal(checked.code, 3);
    assert.match(checked.stdout, /^FAILED {2}redis .*NOPERM for EVALSHA; ACL SETUSER poor \+evalsha/m);
    assert.match(checked.stdout, /^warning redis .*NOPERM for SUBSCRIBE; ACL SETUSER poor \+subscribe/m);
    const doctor = await world.run(['doctor'], poor);
    assert.match(doctor.stdout, /^BROKEN +redis\.commands +.*NOPERM for EVALSHA/m);
    assert.equal(doctor.code, 1);
    const verified = await world.run(['verify', '--wait', '30'], env);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    proxy.blackHole();
    const ends = await Promise.all([...writers, sender].map((app) => app.stop(20_000)));
    assert.deepEqual(
      ends.map(({ code }) => code),
      ends.map(() => 0),
    );
  },
);
