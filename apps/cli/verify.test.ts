/** `verify` on a topic made by hand, where each row's fate is known. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testEnvironment, testKafka } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

interface Sent {
  readonly id: number;
  readonly key: string;
  readonly outboxId?: number;
}

const ROWS = 12;
const keyOf = (id: number): string => `customer-${id % 3}`;

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_verify');
  const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '1']);
  assert.equal(code, 0, stderr);
});

after(async () => {
  await world?.close();
});

/** A transaction each, so that an aborted one can stand between the others. */
async function send(records: readonly Sent[], end: 'commit' | 'abort' = 'commit'): Promise<void> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer({
    transactionalId: `${world.prefix}.by-hand`,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  try {
    const transaction = await producer.transaction();
    const messages = records.map(({ id, key, outboxId = id }) => ({
      key,
      value: JSON.stringify({ id }),
      headers: { id: `orders:${id}`, 'outbox-id': String(outboxId), source: 'orders', lane: '0' },
    }));
    await transaction.send({ topic: world.topic, messages });
    await transaction[end]();
  } finally {
    await producer.disconnect();
  }
}

const record = (id: number): Sent => ({ id, key: keyOf(id) });

test('a topic that was never written to: rows are pending, and that is no pass', async () => {
  for (let id = 1; id <= ROWS; id += 1) await world.db.query('INSERT INTO orders (customer) VALUES (?)', [keyOf(id)]);
  const { code, stdout, stderr } = await world.run(['verify']);
  assert.equal(code, 1);
  assert.match(stderr, /source orders was never led by a writer/);
  assert.match(stdout, /^orders: pending 12 /m);
  assert.match(stdout, /delivered 0 of 0: 0 missing, 0 duplicated, 0 out of order\n$/);
});

test('a missing, a doubled and an out-of-order record are told apart, with examples', async () => {
  // Moved up to 10; 7 lies in an open gap, 8 is still in the outbox, 9 is a dead letter, 11 and 12 are not moved yet.
  await world.db.query(
    `INSERT INTO kafka_row_sender_watermark (source, position, next_sequence, epoch, leader, updated_at)
     VALUES ('orders', 10, 100, 1, NULL, NOW(6))`,
  );
  await world.db.query(
    "INSERT INTO kafka_row_sender_gap (source, page, first_position, last_position, missing, ranges, detail) VALUES ('orders', 7, 7, 7, 1, 1, '0')",
  );
  await world.db.query(
    `INSERT INTO kafka_row_sender_lane (lane, source, delivered_id, holder, claim_epoch, lease_until, fence_ids, state, why, updated_at)
     VALUES (0, 'orders', 7, NULL, 1, NULL, '[]', 'running', NULL, NOW(6))`,
  );
  await world.db.query(
    `INSERT INTO kafka_row_sender_outbox (id, event_id, topic, record_key, payload, headers, size) VALUES (8, 'orders:8', 't', 'k', '{}', NULL, 3)`,
  );
  await world.db.query(
    `INSERT INTO kafka_row_sender_dead_letter (id, lane, state, event_id, topic, record_key, payload, headers, size, key_hash, attempts, attempt_token, error, due_at, first_at, last_at)
     VALUES (9, 0, 'dead', 'orders:9', 't', 'k', '{}', NULL, 3, NULL, 3, 0, 'refused', NOW(6), NOW(6), NOW(6))`,
  );
  await send([record(1), record(2), record(3)]);
  // A reader of committed records never sees this one: row 4 is missing.
  await send([record(4)], 'abort');
  // 3 comes twice; 10 and 1 share a key, and 5 comes after 2 of its key with a lower id.
  await send([record(3), { ...record(5), outboxId: 1 }, record(6), record(10)]);
  const { code, stdout } = await world.run(['verify']);
  assert.equal(code, 1);
  const expected = [
    'orders: missing 1:',
    '  orders:4  key "customer-1"',
    'orders: duplicated 1:',
    `  orders:3  key "customer-0", at ${world.topic} 0:6, outbox id 3`,
    'orders: out of order 1:',
    `  orders:5  key "customer-2", at ${world.topic} 0:7, outbox id 1, sequence 1 after 2`,
    'orders: in the dead letters, not delivered 1:',
    '  orders:9  key "customer-0"',
    'orders: pending 4 (not moved yet, in the outbox, or waiting for a retry)',
    'delivered 6 of 8: 1 missing, 1 duplicated, 1 out of order',
    '',
  ];
  assert.deepEqual(stdout.split('\n'), expected);
});

test('the same as JSON', async () => {
  const { code, stdout } = await world.run(['verify', '--json', '--source', 'orders']);
  assert.equal(code, 1);
  const { sources, totals } = JSON.parse(stdout);
  assert.equal(sources.length, 1);
  assert.deepEqual(sources[0].missing, {
    count: 1,
    examples: [{ id: 'orders:4', key: 'customer-1', at: null, note: null }],
  });
  assert.equal(sources[0].duplicated.count, 1);
  assert.equal(sources[0].outOfOrder.count, 1);
  assert.deepEqual(totals, {
    expected: 8,
    delivered: 6,
    missing: 1,
    duplicated: 1,
    outOfOrder: 1,
    dead: 1,
    pending: 4,
    passed: false,
  });
});

test('--wait says what is still waiting and fails', async () => {
  const { code, stderr } = await world.run(['verify', '--wait', '0.3']);
  assert.equal(code, 1);
  assert.match(stderr, /still not delivered after 0\.3 s: source orders is moved up to 10 of 12/);
});

test('an unknown source and a missing topic have one clear line and their exit codes', async () => {
  const source = await world.run(['verify', '--source', 'nothing']);
  assert.equal(source.code, 2);
  assert.match(source.stderr, /there is no source nothing; the sources are: orders\n$/);
  const topic = await world.run(['verify'], { KAFKA_ROW_SENDER_KAFKA_TOPIC: `${world.prefix}-nowhere` });
  assert.equal(topic.code, 3);
  assert.match(topic.stderr, /topic .*-nowhere does not exist/);
});

test('--background says when no sender runs that could do it', async () => {
  const queue = { KAFKA_ROW_SENDER_REDIS_URL: testEnvironment().redisUrl };
  const beat =
    "REPLACE INTO kafka_row_sender_member (id, kind, heartbeat_at, started_at) VALUES ('s', ?, NOW(6) - INTERVAL ? SECOND, NOW(6))";
  const notes = async (kind: string, silentSeconds: number): Promise<string> => {
    await world.db.query(beat, [kind, silentSeconds]);
    const { code, stdout, stderr } = await world.run(['verify', '--background'], queue);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^queued: a sender compares orders/);
    await world.db.query('DELETE FROM kafka_row_sender_member');
    return stderr;
  };
  assert.equal(await notes('sender', 0), '');
  assert.match(await notes('sender', 3_600), /^no sender runs now: nothing is compared until one does/);
  assert.match(await notes('writer', 0), /^no sender runs now/);
});
