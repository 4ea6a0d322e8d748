/** `status`, `lane`, `dead-letters` and `run` on tables that are empty, in use, and in trouble. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { spawnApp } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const LANE_SPAN = 2 ** 43;

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_status');
  const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '2']);
  assert.equal(code, 0, stderr);
});

after(async () => {
  await world?.close();
});

test('empty tables: the source is there, nothing else is', async () => {
  const { code, stdout } = await world.run(['status']);
  assert.equal(code, 0);
  assert.match(stdout, /^delivery +exactly-once$/m);
  assert.match(stdout, /^redis +not configured$/m);
  assert.match(stdout, /^backlog +0 rows/m);
  assert.match(stdout, /^orders +running +- +- +- +- +- +- +0 +transactions$/m);
  const json = JSON.parse((await world.run(['status', '--json'])).stdout);
  assert.deepEqual(json.lanes, []);
  assert.equal(json.sources[0].watermark, null);
  assert.equal(json.kafka.reachable, true);
});

test('tables in use: run delivers, verify --wait passes, status shows who does what', async () => {
  const rows = Array.from({ length: 200 }, (_, at) => [`customer-${at % 7}`, at]);
  await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
  const relay = spawnApp('apps/cli/main.ts', { ...world.env, KAFKA_ROW_SENDER_INSTANCE_ID: 'one' }, { args: ['run'] });
  try {
    const verified = await world.run(['verify', '--wait', '60']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr + relay.output());
    assert.match(verified.stdout, /^delivered 200 of 200: 0 missing, 0 duplicated, 0 out of order\n$/);
    const { code, stdout } = await world.run(['status']);
    assert.equal(code, 0);
    assert.match(stdout, /^orders +running +one +database +1 +200 +200 +0 +0 +transactions$/m);
    assert.match(stdout, new RegExp(`^ +3 +orders +running +${world.prefix}\\.one +running +\\d+ +\\d+ +0 +-$`, 'm'));
    assert.match(stdout, /^writer +one +/m);
    assert.match(stdout, new RegExp(`^sender +${world.prefix}\\.one +`, 'm'));
    const json = JSON.parse((await world.run(['status', '--json'])).stdout);
    assert.equal(json.lanes.length, 4);
    assert.deepEqual(json.backlog, { rows: 0, capped: false, oldestAgeMs: null });
    for (const { lane, marker, deliveredId } of json.lanes) {
      assert.equal(Math.floor(marker / LANE_SPAN), lane);
      assert.equal(marker, deliveredId);
    }
  } finally {
    const { code } = await relay.stop();
    assert.equal(code, 0, relay.output());
  }
});

test('Kafka and Redis away are said, and the rest is shown all the same', async () => {
  const { code, stdout } = await world.run(['status'], {
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
    KAFKA_ROW_SENDER_REDIS_URL: 'redis://:geheim@127.0.0.1:1',
  });
  assert.equal(code, 0);
  assert.match(stdout, /^kafka +AWAY: .*ECONNREFUSED/m);
  assert.match(stdout, /^redis +AWAY: ECONNREFUSED$/m);
  assert.match(stdout, /^orders +running +one \(gone\) /m);
  assert.doesNotMatch(stdout, /geheim/);
  const database = await world.run(['status'], { KAFKA_ROW_SENDER_DB_PORT: '1' });
  assert.equal(database.code, 3);
  assert.match(database.stderr, /^error: .*ECONNREFUSED.*\n$/);
});

test('a lane is paused and resumed; one that is not there is refused', async () => {
  const paused = await world.run(['lane', 'pause', '2', '--why', 'maintenance']);
  assert.equal(paused.code, 0);
  const listed = await world.run(['lane', 'list']);
  assert.match(listed.stdout, /^ +2 +orders +paused/m);
  assert.match(listed.stdout, /^lane 2 is paused: maintenance$/m);
  assert.match((await world.run(['lane', 'pause', '2'])).stdout, /is paused already: maintenance/);
  assert.match((await world.run(['lane', 'resume', 'all'])).stdout, /^lane 2 is running: /m);
  const missing = await world.run(['lane', 'pause', '77']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /there is no lane 77: the lanes are 0 to 3/);
});

async function halt(lane: number, deliveredId: number): Promise<void> {
  await world.db.query(
    "UPDATE kafka_row_sender_lane SET state = 'halted', why = 'for the test', delivered_id = ? WHERE lane = ?",
    [deliveredId, lane],
  );
}

async function laneOf(number: number): Promise<{ state: string; deliveredId: number; marker: number }> {
  const { stdout } = await world.run(['lane', 'list', '--json']);
  const lanes = JSON.parse(stdout) as { lane: number; state: string; deliveredId: number; marker: number }[];
  const found = lanes.find(({ lane }) => lane === number);
  assert.ok(found);
  return found;
}

test('a halted lane goes on only when marker and database agree, or the operator says which to believe', async () => {
  const { deliveredId } = await laneOf(1);
  // Behind: the database says more than Kafka has.
  await halt(1, deliveredId + 5);
  const refused = await world.run(['lane', 'resume', '1']);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, new RegExp(`the marker ${deliveredId} in Kafka lies behind ${deliveredId + 5}`));
  assert.match(refused.stderr, /--from delivered/);
  assert.equal((await laneOf(1)).state, 'halted');
  const marker = await world.run(['lane', 'resume', '1', '--from', 'marker']);
  assert.equal(marker.code, 0, marker.stderr);
  assert.deepEqual({ ...(await laneOf(1)) }.deliveredId, deliveredId);
  // Ahead and sound: writing the marker back would deliver rows twice.
  await halt(1, deliveredId - 1);
  const twice = await world.run(['lane', 'resume', '1', '--from', 'delivered']);
  assert.equal(twice.code, 2);
  assert.equal((await world.run(['lane', 'resume', '1'])).code, 0);
  // The database is believed: the marker is written anew.
  await halt(1, deliveredId + 5);
  const delivered = await world.run(['lane', 'resume', '1', '--from', 'delivered']);
  assert.equal(delivered.code, 0, delivered.stderr);
  const now = await laneOf(1);
  assert.equal(now.state, 'running');
  assert.equal(now.marker, deliveredId + 5);
});

test('dead letters are listed, shown, retried and dropped', async () => {
  const insert = `INSERT INTO kafka_row_sender_dead_letter (id, lane, state, event_id, topic, record_key, payload, headers, size, key_hash, attempts, attempt_token, error, due_at, first_at, last_at)
     VALUES (?, 0, ?, ?, 't', 'k', '{"amount":"1.50"}', '{"a":"b"}', 3, NULL, ?, 0, 'KAFKA_RECORD_REFUSED: too large', NOW(6), NOW(6), NOW(6))`;
  await world.db.query(insert, [101, 'dead', 'orders:1', 3]);
  await world.db.query(insert, [102, 'parked', 'orders:2', 3]);
  // Waits behind the parked one: not given up itself.
  await world.db.query(insert, [103, 'parked', 'orders:3', 0]);
  const listed = await world.run(['dead-letters', 'list']);
  assert.equal(listed.code, 0);
  assert.match(listed.stdout, /^101 +0 +orders:1 +t +k +dead +3 .*too large$/m);
  assert.match(listed.stdout, /^102 .* parked /m);
  assert.doesNotMatch(listed.stdout, /^103|amount/m);
  const shown = JSON.parse((await world.run(['dead-letters', 'show', '101'])).stdout);
  assert.equal(shown.value, '{"amount":"1.50"}');
  assert.deepEqual(shown.headers, { a: 'b' });
  assert.equal((await world.run(['dead-letters', 'retry', '101'])).code, 0);
  assert.equal((await world.run(['dead-letters', 'drop', '102', '--yes'])).code, 0);
  const [left] = await world.db.query('SELECT id, state, attempts FROM kafka_row_sender_dead_letter ORDER BY id');
  assert.deepEqual(
    (left as { id: number; state: string; attempts: number }[]).map(({ id, state, attempts }) => [id, state, attempts]),
    [
      [101, 'retrying', 0],
      [103, 'parked', 0],
    ],
  );
  assert.match((await world.run(['dead-letters', 'list', '--all'])).stdout, /^101 .*retrying.*\n103 .*parked/m);
  const behind = await world.run(['dead-letters', 'drop', '103', '--yes']);
  assert.equal(behind.code, 2);
  assert.match(behind.stderr, /row 103 waits behind an earlier row of its key/);
  const trying = await world.run(['dead-letters', 'retry', '101']);
  assert.equal(trying.code, 2);
  assert.match(trying.stderr, /row 101 is not given up \(retrying\)/);
  const missing = await world.run(['dead-letters', 'show', '104']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /there is no row 104 among those set aside/);
});
