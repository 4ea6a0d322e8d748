/** Elections while Redis is away, refuses, or is away for one of two: the database elects, one leads, and Redis elects again later. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { createRedisElection, type ElectionEvent, type LockSession } from '#leader-election';
import { type RedisTarget, targetOf } from '#redis';
import { silentLogger, systemClock } from '#runtime';
import { freePort, type OwnRedis, startOwnRedis, startProxy, testEnvironment, until } from '#testkit';

const TTL_MS = 2000;
const FALLBACK_AFTER_MS = 400;
const prefix = `krs-test-${process.pid}`;
let server: OwnRedis;
let admin: Redis;
before(async () => {
  server = await startOwnRedis();
  admin = server.client();
});
after(() => server.stop());

interface Candidate {
  readonly election: ReturnType<typeof createRedisElection>;
  readonly events: ElectionEvent[];
  readonly sessions: mysql.Connection[];
}

const opened: Candidate[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ election }) => election.close()));
});

function candidate(redis: RedisTarget, locks = prefix): Candidate {
  const events: ElectionEvent[] = [];
  const sessions: mysql.Connection[] = [];
  const connect = async (): Promise<LockSession> => {
    const connection = await mysql.createConnection({ ...testEnvironment().database });
    connection.on('error', () => undefined);
    sessions.push(connection);
    return {
      query: async (sql, values) => (await connection.query<mysql.RowDataPacket[]>(sql, [...values]))[0],
      close: async () => connection.destroy(),
    };
  };
  const election = createRedisElection({
    redis,
    prefix,
    ttlMs: TTL_MS,
    database: { connect, prefix: locks, checkIntervalMs: 100, queryDeadlineMs: 1000 },
    fallbackAfterMs: FALLBACK_AFTER_MS,
    logger: silentLogger,
    doorbell: { ring: () => undefined },
    onEvent: (event) => events.push(event),
  });
  const one = { election, events, sessions };
  opened.push(one);
  return one;
}

let sources = 0;
const freshSource = () => `fallback_${process.pid}_${sources++}`;
const lead = ({ election }: Candidate, source: string) =>
  until('to be elected', () => election.tryAcquire(source), 5 * TTL_MS);
const isLocked = async (source: string) => (await admin.exists(`${prefix}:leader:${source}`)) === 1;

interface Refusal {
  readonly cause: RegExp;
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
  readonly login?: string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'memory is used up': {
    cause: /^OOM$/,
    begin: () => admin.config('SET', 'maxmemory', '1'),
    end: () => admin.config('SET', 'maxmemory', '0'),
  },
  'a replica': {
    cause: /^READONLY$/,
    begin: async () => admin.replicaof('127.0.0.1', await freePort()),
    end: () => admin.replicaof('NO', 'ONE'),
  },
  'too few replicas': {
    cause: /^NOREPLICAS$/,
    begin: () => admin.config('SET', 'min-replicas-to-write', '1'),
    end: () => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  'a user without rights': {
    cause: /^NOPERM$/,
    begin: () => admin.call('ACL', 'SETUSER', 'poor', 'reset', 'on', '>pw', '~*', '&*', '+pttl'),
    end: () => admin.call('ACL', 'SETUSER', 'poor', '+@all'),
    login: 'poor:pw@',
  },
  'a wrong password': {
    cause: /^WRONGPASS$/,
    begin: () => admin.call('ACL', 'SETUSER', 'late', 'reset', 'on', '>other', '~*', '&*', '+@all'),
    end: () => admin.call('ACL', 'SETUSER', 'late', '>pw'),
    login: 'late:pw@',
  },
  'a password that is missing': {
    cause: /^NOAUTH$/,
    begin: () => admin.config('SET', 'requirepass', 'geheim'),
    end: () => admin.config('SET', 'requirepass', ''),
  },
  'a script that does not end': {
    cause: /^BUSY$/,
    begin: async () => {
      await admin.config('SET', 'busy-reply-threshold', '50');
      server
        .client()
        .eval('while true do end', 0)
        .catch(() => undefined);
      const probe = server.client();
      await until(
        'Redis to be busy',
        () =>
          probe.ping().then(
            () => false,
            () => true,
          ),
        3000,
      );
    },
    end: () => admin.script('KILL'),
  },
};

for (const [title, { cause, begin, end, login = '' }] of Object.entries(REFUSALS)) {
  test(`I7: Redis refuses (${title}): the database elects one, who goes on when Redis elects again`, async () => {
    const source = freshSource();
    const target = targetOf(server.url.replace('//', `//${login}`));
    await begin();
    const [first, second] = [candidate(target), candidate(target)];
    let ended = false;
    try {
      const startedMs = systemClock.nowMs();
      const term = await lead(first, source);
      assert.ok(systemClock.nowMs() - startedMs >= FALLBACK_AFTER_MS, 'Redis had its time');
      assert.equal(term.means, 'database');
      const said = first.events.filter(({ kind }) => kind === 'election-fallback');
      assert.equal(said.length, 1);
      assert.match(said[0] && 'cause' in said[0] ? said[0].cause : '', cause);
      const watchedUntilMs = systemClock.nowMs() + 1.5 * FALLBACK_AFTER_MS;
      while (systemClock.nowMs() < watchedUntilMs) {
        assert.equal(await second.election.tryAcquire(source), null, 'one leads');
        await systemClock.sleep(50);
      }
      assert.ok(second.events.length <= 2, `said once: ${JSON.stringify(second.events)}`);
      await end();
      ended = true;
      await until('Redis to elect again', () => term.means === 'redis', 3000);
      assert.equal(term.signal.aborted, false, 'nobody had to step down');
      assert.equal(first.events.at(-1)?.kind, 'election-restored');
      assert.equal(await second.election.tryAcquire(source), null);
    } finally {
      if (!ended) await end();
    }
  });
}

test('I7: a cluster node that nobody gave a slot to', async () => {
  const node = await startOwnRedis({ args: ['--cluster-enabled', 'yes'] });
  try {
    const one = candidate(targetOf(node.url));
    const term = await lead(one, freshSource());
    assert.equal(term.means, 'database');
    assert.deepEqual(
      one.events.map((event) => ('cause' in event ? event.cause : '')),
      ['CLUSTERDOWN', 'CLUSTERDOWN'],
    );
  } finally {
    await node.stop();
  }
});

test('I7: nobody listens, or nothing comes through: each elects by the database', async () => {
  const hole = await startProxy(server);
  hole.blackHole();
  try {
    for (const target of [`redis://127.0.0.1:${await freePort()}`, `redis://127.0.0.1:${hole.port}`]) {
      const one = candidate(targetOf(target));
      const term = await lead(one, freshSource());
      assert.equal(term.means, 'database');
    }
  } finally {
    await Promise.all(opened.splice(0).map(({ election }) => election.close()));
    await hole.stop();
  }
});

test('I7: Redis lost, then the leader killed: the standby leads by the database', async () => {
  const proxy = await startProxy(server);
  try {
    const target = targetOf(`redis://127.0.0.1:${proxy.port}`);
    const source = freshSource();
    const [first, second] = [candidate(target), candidate(target)];
    const term = await lead(first, source);
    assert.equal(term.means, 'redis');
    proxy.cut();
    await until('the leader to go on without Redis', () => term.means === 'database', 2 * TTL_MS);
    assert.equal(await second.election.tryAcquire(source), null);
    await until('to say so', () => first.events.map(({ kind }) => kind).join() === 'election-fallback', TTL_MS);
    // The whole process dies: its sessions end, and it asks no more.
    for (const session of first.sessions) session.destroy();
    await until('the killed one to be gone', () => term.signal.aborted, 2000);
    const next = await lead(second, source);
    assert.equal(next.means, 'database');
    proxy.pass();
    await until('Redis to elect again', () => next.means === 'redis', 2 * TTL_MS);
    assert.equal(await first.election.tryAcquire(source), null);
  } finally {
    await Promise.all(opened.splice(0).map(({ election }) => election.close()));
    await proxy.stop();
  }
});

test('I7: a leader whom only Redis does not hear is left alone, and takes the lock again', async () => {
  const proxy = await startProxy(server);
  try {
    const source = freshSource();
    const cutOff = candidate(targetOf(`redis://127.0.0.1:${proxy.port}`));
    const other = candidate(targetOf(server.url));
    const term = await lead(cutOff, source);
    proxy.cut();
    await until('the lock to lapse', async () => !(await isLocked(source)), 2 * TTL_MS);
    const watchedUntilMs = systemClock.nowMs() + TTL_MS;
    while (systemClock.nowMs() < watchedUntilMs) {
      assert.equal(await other.election.tryAcquire(source), null, 'the other one sees that somebody leads');
      await systemClock.sleep(50);
    }
    assert.equal(term.means, 'database');
    assert.equal(await isLocked(source), false, 'nobody took the lock who may not lead');
    proxy.pass();
    await until('the leader to have its lock again', () => term.means === 'redis', 2 * TTL_MS);
    assert.equal(term.signal.aborted, false);
  } finally {
    await Promise.all(opened.splice(0).map(({ election }) => election.close()));
    await proxy.stop();
  }
});

test('I7: a session that the server ends costs a leader nothing while Redis has its lock', async () => {
  const source = freshSource();
  const [first, second] = [candidate(targetOf(server.url)), candidate(targetOf(server.url))];
  const term = await lead(first, source);
  for (const session of [...first.sessions]) session.destroy();
  await until('a new session with the lock', () => first.sessions.length > 1, 2000);
  assert.equal(term.signal.aborted, false);
  assert.equal(await second.election.tryAcquire(source), null);
});

test('I7: two who do not know each other’s locks do not fence each other in turn', async () => {
  const proxy = await startProxy(server);
  try {
    const source = freshSource();
    // As on two nodes of a cluster without common locks.
    const alone = candidate(targetOf(`redis://127.0.0.1:${await freePort()}`), `${prefix}-node-1`);
    const other = candidate(targetOf(server.url), `${prefix}-node-2`);
    const term = await lead(alone, source);
    const theirs = await lead(other, source);
    await term.release('fenced');
    const fencedMs = systemClock.nowMs();
    await lead(alone, source);
    assert.ok(systemClock.nowMs() - fencedMs >= 2 * FALLBACK_AFTER_MS, 'the second time it waits longer');
    assert.equal(theirs.signal.aborted, false);
  } finally {
    await proxy.stop();
  }
});
