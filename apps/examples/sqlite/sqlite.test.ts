/** The SQLite examples run as they are; the demo, which runs the other two, ends with its check line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnApp, testEnvironment } from '#testkit';
import { openSqliteWorld } from '../../test/sqlite-world.ts';

const DEADLINE_MS = 180_000;

test('embedded.ts: users and their events from one process', { timeout: DEADLINE_MS }, async () => {
  const world = await openSqliteWorld();
  try {
    const { kafkaBootstrap } = testEnvironment();
    const app = spawnApp(
      'apps/examples/sqlite/embedded.ts',
      {},
      { args: [world.file, kafkaBootstrap, world.topic, '25'] },
    );
    assert.equal((await app.exit).code, 0, app.output());
    assert.match(app.output(), /25 users created, their events are in Kafka/);
    const records = await world.records();
    assert.equal(new Set(records.map(({ headers }) => headers.id)).size, 25);
    assert.equal(records.length, 25);
  } finally {
    await world.close();
  }
});

test('demo:sqlite: each event printed once although the relay is killed', { timeout: DEADLINE_MS }, async () => {
  const env = { KRS_TEST_KAFKA: testEnvironment().kafkaBootstrap };
  const app = spawnApp('apps/demo/sqlite.ts', env, { args: ['--users', '150', '--kills', '2'] });
  assert.equal((await app.exit).code, 0, app.output());
  assert.match(app.output(), /^passed: printed 150 of 150 events once each: 0 missing, 0 doubled, 0 left/m);
});
