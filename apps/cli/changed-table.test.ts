/**
 * Tables that are changed without going back, and those that are exchanged: a halt where rows would be skipped, and none where they are
 * the same rows. Two writers and a sender, real servers.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { until } from '#testkit';
import { TwoWriters } from '../test/two-writers.ts';

const TIMEOUT = { timeout: 180_000 };
const PREFIX = 'krs_cli_table';

let scene: TwoWriters | null = null;

afterEach(async () => {
  await scene?.close();
  scene = null;
});

test('a table swapped in by RENAME halts the source, and one with the same rows does not', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  await scene.insert('a', 30);
  await scene.settled();
  await scene.sql('CREATE TABLE copied LIKE orders');
  await scene.sql('INSERT INTO copied SELECT * FROM orders');
  await scene.sql('RENAME TABLE orders TO old_orders, copied TO orders');
  await scene.insert('b', 5);
  await scene.settled();
  assert.equal((await scene.source()).state, 'running');
  await scene.sql('CREATE TABLE other LIKE orders');
  await scene.sql("INSERT INTO other (customer, amount) SELECT CONCAT('c-', id - 1), id * 7.5 FROM orders");
  await scene.sql("INSERT INTO other (customer, amount) SELECT CONCAT('c-', id + 34), id * 7.5 FROM orders");
  await scene.sql('RENAME TABLE orders TO older_orders, other TO orders');
  await scene.halted('SOURCE_WENT_BACK');
});

test(
  'ALTER TABLE that adds a column, in place or by a copy, halts nothing, and the column is delivered',
  TIMEOUT,
  async () => {
    scene = await TwoWriters.open(PREFIX);
    await scene.insert('a', 10);
    await scene.settled();
    const kinds = ['', ', ALGORITHM=COPY', ', ALGORITHM=INPLACE', ', FORCE'];
    for (const [at, how] of kinds.entries()) {
      await scene.sql(`ALTER TABLE orders ADD COLUMN n${at} INT DEFAULT ${at}${how}`);
      await scene.insert('b'.repeat(at + 1), 3);
      await scene.settled();
    }
    await scene.sql('OPTIMIZE TABLE orders');
    await scene.insert('z', 1);
    await scene.settled();
    assert.equal((await scene.source()).state, 'running');
    const [last] = (await scene.records()).filter(({ value }) => value.customer === 'z-0');
    assert.deepEqual(Object.keys(last?.value ?? {}), ['id', 'customer', 'amount', 'n0', 'n1', 'n2', 'n3']);
  },
);

test('rows deleted at the top, or all of them, halt nothing as long as ids go on', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  await scene.insert('a', 50);
  await scene.settled();
  await scene.sql('DELETE FROM orders WHERE id > 10');
  await scene.restartWriters();
  await scene.insert('b', 5);
  await scene.settled();
  await scene.sql('DELETE FROM orders');
  await scene.restartWriters();
  await scene.insert('c', 5);
  await scene.settled();
  await scene.assertDelivered({ a: 50, b: 5, c: 5 });
});

test(
  'an exchange of partitions that brings rows below the watermark in halts; partitions that go or come do not',
  TIMEOUT,
  async () => {
    const parts =
      'PARTITION p0 VALUES LESS THAN (50), PARTITION p1 VALUES LESS THAN (100), PARTITION pm VALUES LESS THAN MAXVALUE';
    scene = await TwoWriters.open(PREFIX, [`ALTER TABLE orders PARTITION BY RANGE (id) (${parts})`]);
    await scene.insert('a', 120);
    await scene.settled();
    // The time of creation counts in seconds, and tells once it is two of them old.
    const isOld = async () => {
      const { stdout } = await (scene as TwoWriters).world.run(['source', 'show', 'orders']);
      return JSON.parse(stdout).table.mark.settled === true;
    };
    await until('the mark has settled', isOld, 30_000);
    await scene.sql('ALTER TABLE orders REBUILD PARTITION p1');
    await scene.sql('ALTER TABLE orders TRUNCATE PARTITION p1');
    await scene.insert('b', 5);
    await scene.settled();
    assert.equal((await scene.source()).state, 'running');
    await scene.sql(
      'CREATE TABLE loaded (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40), amount DECIMAL(10, 2))',
    );
    await scene.sql("INSERT INTO loaded (customer, amount) VALUES ('x-0', 1), ('x-1', 2)");
    await until('the mark has settled', isOld, 30_000);
    await scene.sql('ALTER TABLE orders EXCHANGE PARTITION p0 WITH TABLE loaded');
    const { why } = await scene.halted('SOURCE_WENT_BACK');
    assert.match(why ?? '', /partition p0 was emptied or exchanged/);
  },
);
