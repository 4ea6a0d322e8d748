/** The ACL of the documents on a real Redis: everything is tried and works; and each right that is missing is named with its rule. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type LoadedConfig, loadConfig } from '#config';
import { createRedisDoorbell } from '#doorbell';
import { createJobs } from '#jobs';
import { createRedisElection } from '#leader-election';
import { targetOf } from '#redis';
import { silentLogger } from '#runtime';
import { type OwnRedis, startOwnRedis, until } from '#testkit';
import { aclRules, mendRefusal, probeRedis, sayRefusal } from './probe-redis.ts';

const PREFIX = 'kafka_row_sender';
let server: OwnRedis;
let admin: ReturnType<OwnRedis['client']>;
before(async () => {
  server = await startOwnRedis();
  admin = server.client();
});
after(() => server.stop());

const setUser = (...rules: readonly string[]) => admin.call('ACL', 'SETUSER', 'relay', ...rules);
const denied = async () => ((await admin.call('ACL', 'LOG')) as unknown[]).length;

function config(): LoadedConfig['config'] {
  const env = {
    KAFKA_ROW_SENDER_REDIS_URL: server.url,
    KAFKA_ROW_SENDER_REDIS_USERNAME: 'relay',
    KAFKA_ROW_SENDER_REDIS_PASSWORD: 'pw',
  };
  return loadConfig({ env, needs: [] }).config;
}

test('the documents name these rules, and with them nothing is refused, neither tried nor in earnest', async () => {
  const rules = aclRules(PREFIX, 'server');
  const documents = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  assert.ok(documents.includes(`ACL SETUSER relay on >PASSWORD ${rules.join(' ')}`), rules.join(' '));
  await setUser('reset', 'on', '>pw', ...rules);
  const trials = await probeRedis(config());
  assert.deepEqual(
    trials.filter(({ refusal }) => refusal !== null),
    [],
  );
  assert.deepEqual(await admin.keys('*probe*'), [], 'nothing is left behind');
  const redis = targetOf(server.url.replace('//', '//relay:pw@'));
  const common = { prefix: PREFIX, logger: silentLogger };
  let done = 0;
  const handler = async (_: unknown, { progress }: { progress(percent: number): Promise<void> }) => {
    await progress(50);
    done += 1;
  };
  const jobs = createJobs({
    ...common,
    redis,
    handlers: { 'retry-due': handler, 'refresh-markers': handler, cleanup: handler, verify: handler },
    reconcile: async () => [{ kind: 'cleanup', data: {}, dedupeKey: 'cleanup', delayMs: 50 }],
    reconcileIntervalMs: 100,
  });
  const doorbell = createRedisDoorbell({ ...common, redis });
  const election = createRedisElection({ ...common, redis, ttlMs: 2000, database: null, doorbell });
  jobs.start();
  const term = await until('a leader', () => election.tryAcquire('orders'), 5000);
  doorbell.ring({ kind: 'lanes-changed' });
  await until('jobs to be done', () => done >= 3, 10_000);
  assert.equal(term.proven, true);
  await election.close();
  await jobs.stop(2000);
  await doorbell.close();
  assert.equal(await denied(), 0, JSON.stringify(await admin.call('ACL', 'LOG')));
});

const MISSING = [
  ['-publish', /^cannot ring the doorbell.*NOPERM for PUBLISH$/],
  ['-subscribe', /^cannot listen to the doorbell.*NOPERM for SUBSCRIBE$/],
  ['-eval', /^cannot take the leader lock.*NOPERM for EVAL$/],
  ['-pttl', /^cannot look at the leader lock.*NOPERM for PTTL$/],
  ['-bzpopmin', /^cannot send a command of background jobs.*NOPERM for BZPOPMIN$/],
  ['-xadd', /^cannot send a command of background jobs.*NOPERM for XADD$/],
  ['-info', /^cannot ask for the version.*NOPERM for INFO$/],
] as const;

for (const [rule, says] of MISSING) {
  test(`${rule}: the command is named, and the rule that allows it`, async () => {
    await setUser('reset', 'on', '>pw', ...aclRules(PREFIX, 'server'), rule);
    const [first] = (await probeRedis(config())).filter(({ refusal }) => refusal !== null);
    assert.ok(first);
    assert.match(sayRefusal(first), says);
    assert.equal(mendRefusal(first, config()), `ACL SETUSER relay +${rule.slice(1)}`);
  });
}

test('keys and channels that the user may not touch are named by their patterns', async () => {
  for (const [rules, mend] of [
    [['resetkeys', '~other:*'], `~${PREFIX}:*`],
    [['resetchannels'], `&${PREFIX}:doorbell`],
  ] as const) {
    await setUser('reset', 'on', '>pw', ...aclRules(PREFIX, 'server'), ...rules);
    const [first] = (await probeRedis(config())).filter(({ refusal }) => refusal !== null);
    assert.ok(first);
    assert.equal(mendRefusal(first, config()), `ACL SETUSER relay ${mend}`);
  }
});

test('other refusals say what to do', async () => {
  await setUser('reset', 'on', '>pw', ...aclRules(PREFIX, 'server'));
  await admin.config('SET', 'maxmemory', '1');
  const refused = (await probeRedis(config())).filter(({ refusal }) => refusal !== null);
  await admin.config('SET', 'maxmemory', '0');
  assert.ok(refused.length > 0 && refused.every(({ refusal }) => refusal?.code === 'OOM'));
  assert.match(mendRefusal(refused[0] ?? assert.fail(), config()), /raise maxmemory/);
});
