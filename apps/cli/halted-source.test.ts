/**
 * Sources whose table changes so that rows would be lost, repeated or cut: the halt outlives every process, no standby goes on, and
 * `source accept` goes on with the right rows. Two writers and a sender, real servers.
 */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import mysql from 'mysql2/promise';
import { freePort, spawnApp, until } from '#testkit';
import { TwoWriters } from '../test/two-writers.ts';

const TIMEOUT = { timeout: 180_000 };
const PREFIX = 'krs_cli_source';

let scene: TwoWriters | null = null;

afterEach(async () => {
  await scene?.close();
  scene = null;
});

/** A writer that starts while the source is halted says so to whoever asks. */
async function assertUnhealthy({ world }: TwoWriters): Promise<void> {
  const port = await freePort();
  const watched = spawnApp('apps/writer/main.ts', { ...world.env, KAFKA_ROW_SENDER_HTTP_PORT: String(port) });
  try {
    await watched.waitForLog(({ event }) => event === 'source-halted', 30_000);
    const health = await fetch(`http://127.0.0.1:${port}/healthz`);
    assert.equal(health.status, 503);
    assert.match(await health.text(), /source orders: halted: .*source accept orders/);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, /^kafka_row_sender_source_halted\{.*source="orders".*\} 1$/m);
  } finally {
    await watched.kill();
  }
}

test(
  'a column dropped under load: all writers stop, a restart does not help, accept goes on without it',
  TIMEOUT,
  async () => {
    scene = await TwoWriters.open(PREFIX, ["ALTER TABLE orders ADD COLUMN note VARCHAR(20) DEFAULT 'n'"]);
    const { world } = scene;
    await scene.insert('a', 20);
    await scene.settled();
    await scene.sql('ALTER TABLE orders DROP COLUMN note');
    await scene.insert('b', 20);
    const row = await scene.halted('SOURCE_COLUMNS_GONE');
    assert.match(row.why ?? '', /column note of source table orders/);
    await scene.restartWriters();
    await scene.insert('c', 20);
    await scene.halted('SOURCE_COLUMNS_GONE');
    assert.deepEqual((await scene.records()).length, 20, 'nothing went on without the column');
    await assertUnhealthy(scene);
    const status = await world.run(['status']);
    assert.match(
      status.stdout,
      /HALTED[\s\S]*source orders is halted: .*column note .*kafka-row-sender source accept orders/,
    );
    const doctor = await world.run(['doctor']);
    assert.match(doctor.stdout, /BROKEN +relay\.source-states +source orders: halted: .*column note/);
    assert.match(await scene.accept('--dry-run'), /not delivered any more: note[\s\S]*nothing was changed/);
    assert.equal((await scene.source()).state, 'halted');
    assert.match(await scene.accept(), /not delivered any more: note[\s\S]*is running/);
    await scene.verify();
    await scene.assertDelivered({ a: 20, b: 20, c: 20 });
    const columns = (await scene.records()).map(({ value }) => Object.keys(value).join());
    assert.equal(columns.filter((names) => names === 'id,customer,amount,note').length, 20);
    assert.equal(columns.filter((names) => names === 'id,customer,amount').length, 40);
    for (const writer of scene.writers) {
      await writer.waitForLog(({ event }) => event === 'source-resumed', 10_000);
      assert.ok(writer.running);
    }
  },
);

test('a column renamed while no writer runs: the first one that starts notices', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  await scene.insert('a', 5);
  await scene.settled();
  await Promise.all(scene.writers.map((writer) => writer.kill()));
  await scene.sql('ALTER TABLE orders CHANGE amount price DECIMAL(10, 2)');
  await scene.sql("INSERT INTO orders (customer, price) VALUES ('b-0', 1)");
  await scene.startWriters();
  await scene.halted('SOURCE_COLUMNS_GONE');
  assert.match(await scene.accept(), /not delivered any more: amount[\s\S]*delivered from now on: price/);
  await scene.verify();
  await scene.assertDelivered({ a: 5, b: 1 });
});

test(
  'TRUNCATE, then fewer rows than before: every row of the table is new, under ids of a second incarnation',
  TIMEOUT,
  async () => {
    scene = await TwoWriters.open(PREFIX);
    const { world } = scene;
    await scene.insert('a', 100);
    await scene.settled();
    await scene.sql('TRUNCATE TABLE orders');
    await scene.insert('b', 30);
    const { why } = await scene.halted('SOURCE_WENT_BACK');
    assert.match(why ?? '', /the next id is \d+, rows were moved up to 100/);
    await scene.restartWriters();
    assert.equal((await world.run(['verify'])).code, 1, 'a halted source never passes');
    await scene.insert('c', 90);
    await scene.halted('SOURCE_WENT_BACK');
    assert.match(await scene.accept('--dry-run'), /every row of the table is new[\s\S]*goes back from 100 to 0/);
    assert.equal((await world.run(['source', 'accept', 'orders', '--from', '102'])).code, 2, 'rows would be skipped');
    await scene.accept();
    await scene.insert('d', 7);
    assert.match(await scene.verify(), /^delivered 127 of 127: 0 missing, 0 duplicated, 0 out of order$/m);
    await scene.assertDelivered({ a: 100, b: 30, c: 90, d: 7 });
    const ids = new Set((await scene.records()).map(({ id }) => id));
    assert.ok(ids.has('orders:1') && ids.has('orders:2:1') && ids.has('orders:2:127'));
    assert.equal((await world.run(['source', 'accept', 'orders'])).stdout.trim(), 'source orders is running already');
  },
);

test(
  'TRUNCATE, and more rows than before within moments: noticed by the data, not by the next id',
  TIMEOUT,
  async () => {
    scene = await TwoWriters.open(PREFIX);
    await scene.insert('a', 20);
    await scene.settled();
    await scene.sql('TRUNCATE TABLE orders');
    await scene.insert('bb', 500);
    const { position } = await scene.halted('SOURCE_WENT_BACK');
    assert.match(await scene.accept(), /every row of the table is new/);
    await scene.verify();
    const customers = (await scene.records()).map(({ value }) => String(value.customer));
    const fresh = customers.filter((customer) => customer.startsWith('bb-'));
    assert.equal(fresh.length, 500, `position ${position} at the halt`);
  },
);

test(
  'TRUNCATE while the application inserts without a break: the topic has what the table has, once',
  TIMEOUT,
  async () => {
    scene = await TwoWriters.open(PREFIX);
    const { world } = scene;
    await scene.insert('a', 50);
    await scene.settled();
    const application = await mysql.createConnection({
      host: world.env.KAFKA_ROW_SENDER_DB_HOST ?? '',
      port: Number(world.env.KAFKA_ROW_SENDER_DB_PORT),
      user: 'app',
      password: 'app',
      database: world.env.KAFKA_ROW_SENDER_DB_NAME ?? '',
    });
    let goes = true;
    const inserting = (async () => {
      for (let n = 0; goes; n += 1)
        await application.query('INSERT INTO orders (customer, amount) VALUES (?, ?)', [`l-${n}`, n]);
    })();
    try {
      await until(
        'rows of the load are moved',
        async () => Number((await (scene as TwoWriters).source()).position) > 200,
        30_000,
      );
      await scene.sql('TRUNCATE TABLE orders');
      await scene.halted('SOURCE_WENT_BACK');
      await scene.restartWriters();
      await scene.halted('SOURCE_WENT_BACK');
      await scene.accept('--from', 'first');
      await until(
        'rows are read again',
        async () => (await (scene as TwoWriters).source()).state === 'running',
        10_000,
      );
    } finally {
      goes = false;
      await inserting;
      await application.end();
    }
    await scene.verify();
    const [rows] = await world.db.query('SELECT id, customer FROM orders ORDER BY id');
    const inTable = (rows as { id: number; customer: string }[]).map(
      ({ id, customer }) => `orders:2:${id} ${customer}`,
    );
    const records = (await scene.records()).filter(({ id }) => id.startsWith('orders:2:'));
    assert.deepEqual(records.map(({ id, value }) => `${id} ${value.customer}`).sort(), inTable.sort());
  },
);

test('top rows deleted and AUTO_INCREMENT lowered: only rows above those that are left are new', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  await scene.insert('a', 100);
  await scene.settled();
  await scene.sql('DELETE FROM orders WHERE id > 80');
  await scene.sql('ALTER TABLE orders AUTO_INCREMENT = 81');
  await scene.insert('b', 10);
  await scene.halted('SOURCE_WENT_BACK');
  assert.match(await scene.accept(), /rows up to 80 are those that were moved[\s\S]*rows from 81 on are new/);
  await scene.verify();
  await scene.assertDelivered({ a: 100, b: 10 });
});

test('a cut that the sample does not tell is asked for, and --from tells it', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  const { world } = scene;
  await scene.insert('a', 200);
  await scene.settled();
  await scene.sql('DELETE FROM orders WHERE id > 50');
  await scene.sql('ALTER TABLE orders AUTO_INCREMENT = 51');
  await scene.insert('b', 10);
  await scene.halted('SOURCE_WENT_BACK');
  const refused = await world.run(['source', 'accept', 'orders']);
  assert.equal(refused.code, 4, refused.stdout);
  assert.match(refused.stderr, /decide with --from first.*rows between 8 and 137 may be old or new/);
  assert.equal((await scene.source()).state, 'halted');
  await scene.accept('--from', '51');
  await scene.verify();
  await scene.assertDelivered({ a: 200, b: 10 });
});

test('DROP and CREATE under two writers: they wait for the table, and halt at another one', TIMEOUT, async () => {
  scene = await TwoWriters.open(PREFIX);
  await scene.insert('a', 40);
  await scene.settled();
  const create =
    'CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40), amount DECIMAL(10, 2))';
  await scene.sql('DROP TABLE orders');
  await scene.writers[0]?.waitForLog(({ event }) => event === 'writer-retry' || event === 'standing-by', 20_000);
  await scene.sql(create);
  await scene.insert('b', 60);
  await scene.halted('SOURCE_WENT_BACK');
  await scene.accept();
  await scene.verify();
  await scene.assertDelivered({ a: 40, b: 60 });
});
