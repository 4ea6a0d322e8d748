/** A server that keeps the names of tables in lower case, as they are on Windows: settings may name a table in any case. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import type { SourceDefinition } from '#outbox';
import { silentLogger } from '#runtime';
import { failOnLeaks, type MariadbServer, startMariadb } from '#testkit';
import { createSourceReader } from './index.ts';

let server: MariadbServer;
let pool: Pool;

const source: SourceDefinition = {
  name: 's',
  table: 'Order-Events Größe',
  watermarkColumn: 'ID',
  columns: ['What'],
  topic: 't',
  topicColumn: null,
  keyColumn: 'what',
};

before(async () => {
  server = await startMariadb({ bufferPoolMb: 16, args: ['--lower-case-table-names=1'] });
  const { host, port, user, password } = server;
  const admin = createPool({
    ...{ host, port, user, password, database: null, ssl: null },
    ...{ connectTimeoutMs: 10_000, readTimeoutMs: 10_000 },
  });
  await admin.run('CREATE DATABASE `My-Shop`');
  pool = createPool({ ...admin.options, database: 'My-Shop' });
  await admin.close();
  await pool.run('CREATE TABLE `ORDER-EVENTS GRÖSSE` (id INT)');
  await pool.run('CREATE TABLE `order-events größe` (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(9))');
  await pool.run("INSERT INTO `order-events größe` (what) VALUES ('a')");
});
after(async () => {
  await pool?.close();
  await server?.stop();
});
failOnLeaks();

test('the table is read, and told from another one of its name', async () => {
  const reader = await createSourceReader({ pool, source, gapMode: 'transactions', logger: silentLogger });
  const { rows } = await reader.readAfter(0n, { rowsMax: 9, bytesMax: 9_999 });
  assert.equal(String(rows[0]?.value), '{"what":"a"}');
  assert.equal(await reader.nextPosition?.(), 2n);
  const before = await reader.tableMark?.();
  assert.notEqual(before?.data ?? null, null, "InnoDB's id of the table is found");
  await pool.run('TRUNCATE TABLE `order-events größe`');
  assert.notDeepEqual((await reader.tableMark?.())?.data, before?.data);
});
