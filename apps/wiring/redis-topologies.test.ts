/** Clusters, sentinels and encrypted connections: everything that the relay does with Redis, on real servers of each kind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '#config';
import { createRedisDoorbell } from '#doorbell';
import { createJobs } from '#jobs';
import { createRedisElection } from '#leader-election';
import { closeRedis, openRedis, type RedisTarget, waitUntilReady } from '#redis';
import { RelayError, silentLogger, systemClock, systemRandom } from '#runtime';
import { freePort, startOwnRedis, startRedisCluster, startSentinel, until } from '#testkit';
import { aclRules, probeRedis } from './probe-redis.ts';
import { redisTarget } from './redis-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-redis-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function config(settings: Readonly<Record<string, string>>) {
  const env = Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]);
  return loadConfig({ env: Object.fromEntries(env), needs: [] }).config;
}

function targetFor(settings: Readonly<Record<string, string>>): RedisTarget {
  return redisTarget(config(settings)) ?? assert.fail('no Redis');
}

async function assertAllWorks(settings: Readonly<Record<string, string>>): Promise<void> {
  const trials = await probeRedis(config(settings));
  assert.deepEqual(
    trials.filter(({ refusal }) => refusal !== null),
    [],
  );
  assert.ok(trials.length >= 10);
}

test('a cluster: elected, rung and worked through, also for a user with the rights of the documents', {
  timeout: 60_000,
}, async () => {
  const cluster = await startRedisCluster();
  try {
    await assertAllWorks({ REDIS_URL: cluster.url });
    const rules = aclRules('kafka_row_sender', 'cluster');
    for (const node of cluster.nodes) await node.client().call('ACL', 'SETUSER', 'relay', 'on', '>pw', ...rules);
    await assertAllWorks({ REDIS_URL: cluster.url, REDIS_USERNAME: 'relay', REDIS_PASSWORD: 'pw' });
    // A node by a server's address has only some of the slots.
    const one = cluster.nodes[0]?.url ?? '';
    const refused = (await probeRedis(config({ REDIS_URL: one }))).filter(({ refusal }) => refusal !== null);
    assert.ok(refused.some(({ refusal }) => ['MOVED', 'CROSSSLOT'].includes(refusal?.code ?? '')));
    await workOn(targetFor({ REDIS_URL: cluster.url }));
  } finally {
    await cluster.stop();
  }
});

/** Two of each: one leads, a ring is heard, a job runs. */
async function workOn(redis: RedisTarget): Promise<void> {
  const common = { redis, prefix: 'kafka_row_sender', logger: silentLogger };
  const bells = [createRedisDoorbell(common), createRedisDoorbell(common)] as const;
  const elections = bells.map((doorbell) => createRedisElection({ ...common, ttlMs: 2000, database: null, doorbell }));
  let heard = 0;
  let done = 0;
  const handler = async () => {
    done += 1;
  };
  const handlers = { 'retry-due': handler, 'refresh-markers': handler, cleanup: handler, verify: handler };
  const jobs = createJobs({ ...common, handlers, reconcile: async () => [], reconcileIntervalMs: 1000 });
  try {
    jobs.start();
    bells[1].listen(() => {
      heard += 1;
    });
    const term = await until('a leader', () => elections[0]?.tryAcquire('orders') ?? null, 10_000);
    assert.equal(await elections[1]?.tryAcquire('orders'), null);
    assert.equal(term.proven, true);
    const ring = () => {
      bells[0].ring({ kind: 'lanes-changed' });
      return heard > 0;
    };
    await until('a ring', ring, 10_000);
    const add = async () => (await jobs.add('cleanup', {}, { dedupeKey: 'c' })) === 'queued' && done > 0;
    await until('a job', add, 10_000);
  } finally {
    await Promise.all(elections.map((election) => election.close()));
    await jobs.stop(1000);
    await Promise.all(bells.map((bell) => bell.close()));
  }
}

test('sentinels: the primary is found by its name, and its successor after it', { timeout: 60_000 }, async () => {
  const primary = await startOwnRedis();
  const replica = await startOwnRedis({ args: ['--replicaof', `${primary.host} ${primary.port}`] });
  const sentinel = await startSentinel({ name: 'relay', primary, quorum: 1, downAfterMs: 500 });
  try {
    await until('the sentinel to know the replica', () => sentinel.replicas().then((count) => count === 1), 20_000);
    const settings = {
      REDIS_URL: `redis-sentinel://127.0.0.1:${await freePort()},${sentinel.host}:${sentinel.port}/relay`,
    };
    await assertAllWorks(settings);
    const target = targetFor(settings);
    const common = { prefix: 'kafka_row_sender', logger: silentLogger, doorbell: { ring: () => undefined } };
    const election = createRedisElection({ ...common, redis: target, ttlMs: 2000, database: null });
    const term = await until('a leader', () => election.tryAcquire('orders'), 10_000);
    await primary.kill();
    await until('to lead without proof', () => !term.proven, 10_000);
    await until('the successor to have the lock', () => term.proven, 40_000);
    assert.equal(await replica.client().exists('kafka_row_sender:leader:orders'), 1);
    await election.close();
  } finally {
    await sentinel.stop();
    await replica.stop();
    await primary.stop();
  }
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
}

/** An authority of our own, and a certificate of it for 127.0.0.1. */
function makeCertificates(name: string): void {
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...ec,
    '-keyout',
    `${name}-ca.key`,
    '-out',
    `${name}-ca.pem`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '2',
  );
  openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=redis');
  writeFileSync(join(folder, 'san'), 'subjectAltName=IP:127.0.0.1');
  const by = ['-CA', `${name}-ca.pem`, '-CAkey', `${name}-ca.key`, '-CAcreateserial'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`, '-days', '2', '-extfile', 'san');
}

const path = (name: string) => join(folder, name);

test('TLS with an authority of our own and a client certificate; files that change are read at the next connection', {
  timeout: 60_000,
  skip: 'its process sometimes hangs for minutes (2 of some 8 runs), seen since it was written: the cause is not found yet',
}, async () => {
  makeCertificates('old');
  makeCertificates('new');
  for (const end of ['-ca.pem', '.pem', '.key']) copyFileSync(path(`old${end}`), path(`now${end}`));
  const port = await freePort();
  const server = await startOwnRedis({
    args: [
      ...['--tls-port', String(port), '--tls-auth-clients', 'yes', '--tls-ca-cert-file', path('now-ca.pem')],
      ...['--tls-cert-file', path('now.pem'), '--tls-key-file', path('now.key')],
    ],
  });
  const settings = {
    REDIS_URL: `rediss://127.0.0.1:${port}`,
    REDIS_SSL_CA: path('now-ca.pem'),
    REDIS_SSL_CERT: path('now.pem'),
    REDIS_SSL_KEY: path('now.key'),
  };
  try {
    await assertAllWorks(settings);
    for (const [wrong, code] of [
      [{ REDIS_URL: settings.REDIS_URL }, /SELF_SIGNED|UNABLE_TO_VERIFY/],
      [{ ...settings, REDIS_SSL_CA: path('new-ca.pem') }, /SELF_SIGNED|UNABLE_TO_VERIFY|SIGNATURE/],
      [{ ...settings, REDIS_URL: `rediss://localhost:${port}` }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ] as const) {
      await assert.rejects(
        probeRedis(config(wrong)),
        (error) => error instanceof RelayError && error.code === 'REDIS_UNREACHABLE' && code.test(error.message),
      );
    }
    const use = { use: 'test', commandTimeoutMs: 1000, logger: silentLogger, random: systemRandom };
    const client = openRedis({ target: targetFor(settings), ...use });
    assert.equal(await waitUntilReady(client, 5000, systemClock), true);
    for (const end of ['-ca.pem', '.pem', '.key']) copyFileSync(path(`new${end}`), path(`now${end}`));
    await server.client().config('SET', 'tls-ca-cert-file', path('now-ca.pem'));
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until(
      'the connection to be back with the new certificates',
      () =>
        client.ping().then(
          () => true,
          () => false,
        ),
      10_000,
    );
    closeRedis(client);
  } finally {
    await server.stop();
  }
});
