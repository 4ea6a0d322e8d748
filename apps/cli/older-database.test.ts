/** A database older than Kafka: nothing is appended, doctor says what to do, and doing it delivers every row that is there. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readTopic, spawnApp, testEnvironment } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const TABLES = ['outbox', 'watermark', 'lane', 'member', 'dead_letter', 'topic', 'source_facts'].map(
  (name) => `kafka_row_sender_${name}`,
);

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_older');
  assert.equal((await world.run(['init', '--create-topics', '--partitions', '2'])).code, 0);
});
after(async () => {
  await world?.close();
});

async function insert(count: number, name: string): Promise<void> {
  const rows = Array.from({ length: count }, (_, at) => [`${name}-${at % 5}`, at]);
  await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
}

/** Runs the relay until verify is through; resolves to what verify said. */
async function deliver(): Promise<string> {
  const app = spawnApp('apps/cli/main.ts', world.env, { args: ['run'] });
  try {
    return (await world.run(['verify', '--wait', '60'])).stdout;
  } finally {
    const { code } = await app.stop();
    assert.equal(code, 0, app.output());
  }
}

async function restoreBackup(): Promise<void> {
  for (const table of TABLES) {
    await world.db.query(`DELETE FROM ${table}`);
    await world.db.query(`INSERT INTO ${table} SELECT * FROM backup_${table}`);
  }
  await world.db.query('DELETE FROM orders WHERE id > 50');
  await world.db.query('ALTER TABLE orders AUTO_INCREMENT = 51');
}

test('a restored backup: the writer halts before it appends, and lane resume --from delivered mends it (I8)', async () => {
  await insert(50, 'a');
  assert.match(await deliver(), /^delivered 50 of 50: 0 missing, 0 duplicated, 0 out of order$/m);
  for (const table of TABLES) await world.db.query(`CREATE TABLE backup_${table} AS SELECT * FROM ${table}`);
  await insert(20, 'b');
  assert.match(await deliver(), /^delivered 70 of 70: 0 missing, 0 duplicated, 0 out of order$/m);
  await restoreBackup();
  await insert(100, 'c');
  const writer = spawnApp('apps/writer/main.ts', world.env);
  const halted = await writer.waitForLog(({ event }) => event === 'source-halted', 60_000);
  assert.match(String(halted.reason), /is older than Kafka/);
  assert.equal((await writer.stop()).code, 0, writer.output());
  const [waiting] = await world.db.query('SELECT COUNT(*) AS n FROM kafka_row_sender_outbox');
  assert.equal((waiting as { n: number }[])[0]?.n, 0);
  const doctor = await world.run(['doctor']);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /^BROKEN +relay\.markers .*a restored backup$/m);
  const early = await world.run(['source', 'accept', 'orders']);
  assert.deepEqual([early.code, early.stdout], [4, ''], early.stderr);
  assert.match(early.stderr, /stays halted: marker \d+ of lane \d .*lane resume all --from delivered/);
  const resumed = await world.run(['lane', 'resume', 'all', '--from', 'delivered']);
  assert.equal(resumed.code, 0, resumed.stderr);
  const accepted = await world.run(['source', 'accept', 'orders']);
  assert.equal(accepted.code, 0, accepted.stderr);
  await deliver();
  const records = await readTopic(world.topic, { bootstrap: testEnvironment().kafkaBootstrap });
  const ours = records.filter(({ key }) => key?.startsWith('c-'));
  assert.equal(ours.length, 100);
  assert.equal(new Set(ours.map(({ headers }) => headers.id)).size, 100);
});
