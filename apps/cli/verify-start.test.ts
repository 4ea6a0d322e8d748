/** `verify` of a source that began at the latest row: from where on rows are owed is written down, not guessed from the topic. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { spawnApp } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const LOG_DEADLINE_MS = 30_000;

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_start');
  assert.equal((await world.run(['init', '--create-topics', '--partitions', '1'])).code, 0);
});
after(async () => {
  await world?.close();
});

const insert = (id: number) =>
  world.db.query('INSERT INTO orders (id, customer) VALUES (?, ?)', [id, `customer-${id}`]);
const LATEST = { KAFKA_ROW_SENDER_START_FROM: 'latest' };

test('rows before the start are not compared, those in a gap open then are, and so is the first one after it', async () => {
  for (const id of [1, 2, 3, 5]) await insert(id);
  const writer = spawnApp('apps/writer/main.ts', { ...world.env, ...LATEST });
  await writer.waitForLog(({ event }) => event === 'term-begun', LOG_DEADLINE_MS);
  assert.equal((await writer.stop()).code, 0, writer.output());
  // As if a fault had moved the watermark over a row: nothing of this source is in the topic, and still it is missed.
  await insert(6);
  await world.db.query('UPDATE kafka_row_sender_watermark SET position = 6');
  const lost = await world.run(['verify'], LATEST);
  assert.equal(lost.code, 1);
  assert.match(lost.stdout, /^orders: missing 1:\n {2}orders:6 /m);
  assert.match(lost.stderr, /source orders began after 5: rows up to there are not compared, but for 1 gap open then/);
  await world.db.query('UPDATE kafka_row_sender_watermark SET position = 5');
  await world.db.query(
    "REPLACE INTO kafka_row_sender_gap (source, page, first_position, last_position, missing, ranges, detail) VALUES ('orders', 4, 4, 4, 1, 1, '0')",
  );
  await insert(4);
  const app = spawnApp('apps/cli/main.ts', world.env, { args: ['run'] });
  try {
    // The setting was changed meanwhile, and does not matter any more.
    const found = await world.run(['verify', '--wait', '60']);
    assert.equal(found.code, 0, found.stdout + found.stderr + app.output());
    assert.match(found.stdout, /^delivered 2 of 2: 0 missing/m);
  } finally {
    await app.stop();
  }
});
