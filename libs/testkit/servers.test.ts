/** Servers of our own: they come up usable, survive what drills do to them, and go when we go. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { createTestTopic } from './create-test-topic.ts';
import { testKafka } from './kafka-client.ts';
import { failOnLeaks } from './leak-check.ts';
import { readTopic } from './read-topic.ts';
import { startKafka } from './start-kafka.ts';
import { startMariadb } from './start-mariadb.ts';
import { startRedis } from './start-redis.ts';
import { until } from './until.ts';

failOnLeaks();

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('servers of our own', () => {
  test('Redis: pause, resume, kill, restart empty on the same port', async () => {
    const server = await startRedis();
    const redis = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    await redis.set('k', 'v');
    server.pause();
    const answer = redis.get('k');
    server.resume();
    assert.equal(await answer, 'v');
    await server.kill();
    await server.restart();
    assert.equal(await redis.get('k'), null);
    redis.disconnect();
    const { pid } = server;
    await server.stop();
    await server.stop();
    assert.equal(runs(pid), false);
  });

  test('MariaDB: app may do everything, and data outlive SIGKILL', async () => {
    const server = await startMariadb();
    const { host, port, user, password } = server;
    const query = async (sql: string): Promise<unknown> => {
      const connection = await mysql.createConnection({ host, port, user, password });
      const [rows] = await connection.query(sql).finally(() => connection.end());
      return rows;
    };
    await query('CREATE DATABASE d');
    await query('CREATE TABLE d.t AS SELECT 1 AS n');
    await query("GRANT SELECT ON d.* TO 'reader'@'%' IDENTIFIED BY 'r'");
    assert.deepEqual(await query("SELECT COUNT(*) AS n FROM mysql.global_priv WHERE User = ''"), [{ n: 0 }]);
    await server.kill();
    await assert.rejects(query('SELECT 1'), { code: 'ECONNREFUSED' });
    await server.restart();
    assert.deepEqual(await query('SELECT n FROM d.t'), [{ n: 1 }]);
    const folder = server.socketPath.replace('/mariadb.sock', '');
    await server.stop();
    assert.equal(existsSync(folder), false);
  });

  test('Kafka: takes a transaction at once, and keeps its topics over SIGKILL', async () => {
    const server = await startKafka();
    const { bootstrap } = server;
    const topic = await createTestTopic({ bootstrap });
    const producer = testKafka(bootstrap).producer({ transactionalId: 't', idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic: topic.name, messages: [{ value: 'v' }] });
    const offsets = [{ partition: 0, offset: '7' }];
    await transaction.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: topic.name, partitions: offsets }] });
    await transaction.commit();
    await producer.disconnect();
    // Killed before the transaction's markers are written, Kafka 4.3.1 forgets to write them (KAFKA-20734).
    assert.equal((await readTopic(topic.name, { bootstrap })).length, 1);
    await server.kill();
    await server.restart();
    assert.equal((await readTopic(topic.name, { bootstrap })).length, 1);
    await server.stop();
  });

  test('a server ends with the process that started it, even when that is killed', async () => {
    const script = `import { startRedis } from '#testkit'; const s = await startRedis(); console.log(s.pid); setInterval(() => 0, 1000);`;
    const flags = ['--conditions=source', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(child.stdout, 'data');
    const pid = Number(String(line));
    assert.ok(runs(pid), `no server ${line}`);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until('the end of the server', () => !runs(pid), 5_000);
  });
});
