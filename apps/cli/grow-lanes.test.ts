/** `lane grow` under load: every row once and in order per key, and the writer says when LANES is not what is. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { spawnApp } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const LOG_DEADLINE_MS = 30_000;
const KEYS = 23;

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_grow');
  const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '3']);
  assert.equal(code, 0, stderr);
});

after(async () => {
  await world?.close();
});

/** Small transactions, one after the other, until told to stop; resolves to the rows inserted. */
async function load(signal: AbortSignal): Promise<number> {
  let rows = 0;
  while (!signal.aborted) {
    const values = Array.from({ length: 5 }, () => [`customer-${rows++ % KEYS}`, rows]);
    await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [values]);
  }
  return rows;
}

const relay = (settings: Readonly<Record<string, string>> = {}) =>
  spawnApp('apps/cli/main.ts', { ...world.env, ...settings }, { args: ['run'] });

test('four lanes become seven while rows flow: none lost, none doubled, each key in order', async () => {
  const app = relay();
  const ended = new AbortController();
  const loading = load(ended.signal);
  try {
    await app.waitForLog(({ event }) => event === 'lane-taken', LOG_DEADLINE_MS);
    const grown = await world.run(['lane', 'grow', 'orders', '7', '--wait', '60']);
    assert.equal(grown.code, 0, grown.stderr + app.output());
    assert.match(grown.stdout, /^marker topic grown: .*, 7 partitions$/m);
    assert.match(grown.stdout, /^source orders has 7 lanes: 4, 5, 6 are new$/m);
    assert.match(grown.stderr, /set LANES=7/);
    await app.waitForLog((line) => line.event === 'term-ended' && line.why === 'fenced', LOG_DEADLINE_MS);
    await app.waitForLog((line) => line.event === 'lane-taken' && line.lane === 6, LOG_DEADLINE_MS);
    const differ = await app.waitForLog(({ event }) => event === 'lanes-differ', LOG_DEADLINE_MS);
    assert.deepEqual([differ.lanes, differ.setting], [7, 4]);
    ended.abort();
    const rows = await loading;
    const verified = await world.run(['verify', '--wait', '60']);
    assert.match(
      verified.stdout,
      new RegExp(`^delivered ${rows} of ${rows}: 0 missing, 0 duplicated, 0 out of order$`, 'm'),
    );
    assert.equal(verified.code, 0);
    const again = await world.run(['lane', 'grow', 'orders', '7']);
    assert.match(again.stdout, /has 7 lanes already/);
  } finally {
    ended.abort();
    await loading;
    const { code } = await app.stop();
    assert.equal(code, 0, app.output());
  }
});

test('with LANES as it is nothing is said; while rows wait or for fewer lanes nothing is changed', async () => {
  const app = relay({ KAFKA_ROW_SENDER_LANES: '7' });
  await app.waitForLog(({ event }) => event === 'term-begun', LOG_DEADLINE_MS);
  await app.waitForLog(({ event }) => event === 'lane-taken', LOG_DEADLINE_MS);
  await app.stop();
  assert.ok(!app.log.some(({ event }) => event === 'lanes-differ'), app.output());
  const fewer = await world.run(['lane', 'grow', 'orders', '5']);
  assert.equal(fewer.code, 2);
  assert.match(fewer.stderr, /can only become more/);
  await world.db.query(
    "INSERT INTO kafka_row_sender_outbox (id, event_id, topic, size) VALUES (2 * 8796093022208 + 999999999, 'orders:1', 't', 1)",
  );
  const full = await world.run(['lane', 'grow', 'orders', '8', '--wait', '0']);
  assert.equal(full.code, 2);
  assert.match(full.stderr, /nothing changed: lanes 2 of source orders still hold rows/);
  const unknown = await world.run(['lane', 'grow', 'nobody', '8']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no writer has registered a source nobody/);
});
