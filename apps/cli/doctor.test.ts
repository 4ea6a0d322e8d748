/** `doctor` on real servers whose settings were made bad on purpose, each by names of its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { connectKafka, createKafkaPortOn } from '#kafka-delivery';
import { silentLogger, systemClock } from '#runtime';
import { createTestTopic, spawnApp, type TestTopic, testEnvironment, until } from '#testkit';
import { type CliEnvironment, type CliWorld, openCliWorld } from '../test/cli-world.ts';

interface Finding {
  readonly check: string;
  readonly about: string;
  readonly verdict: string;
  readonly says: string;
  readonly mend: string | null;
}

interface Answer {
  readonly code: number | null;
  readonly findings: readonly Finding[];
  readonly away: readonly { readonly server: string }[];
  /** What one check says. */
  of(check: string): readonly Finding[];
}

const LANE_SPAN = 2 ** 43;
const ROWS = 40;

let world: CliWorld;
let limited: string;

before(async () => {
  world = await openCliWorld('krs_doctor');
});
after(async () => {
  if (limited) await world.db.query(`DROP USER IF EXISTS '${limited}'@'%'`);
  await world?.close();
});

async function doctor(more: CliEnvironment = {}): Promise<Answer> {
  const { code, stdout, stderr } = await world.run(['doctor', '--json'], more);
  assert.match(stdout, /^\{/, stderr);
  const { findings, away } = JSON.parse(stdout) as Pick<Answer, 'findings' | 'away'>;
  return { code, findings, away, of: (check) => findings.filter((finding) => finding.check === check) };
}

const broken = ({ findings }: Answer): readonly string[] => [
  ...new Set(findings.filter(({ verdict }) => verdict === 'broken').map(({ check }) => check)),
];

test('before init: what is missing is broken, with the command that makes it; exit 1', async () => {
  const answer = await doctor();
  assert.equal(answer.code, 1);
  assert.deepEqual(broken(answer), ['database.schema', 'kafka.topics', 'kafka.marker-topic']);
  assert.equal(answer.of('database.schema')[0]?.mend, 'kafka-row-sender init');
  assert.match(answer.of('kafka.topics')[0]?.mend ?? '', /^kafka-row-sender init --create-topics/);
});

test('after init: nothing is broken, exit 0, and people get the same in lines', async () => {
  assert.equal((await world.run(['init', '--create-topics', '--partitions', '2'])).code, 0);
  const answer = await doctor({ KAFKA_ROW_SENDER_REDIS_URL: testEnvironment().redisUrl });
  assert.equal(answer.code, 0);
  assert.deepEqual(broken(answer), []);
  assert.equal(answer.of('database.gap-mode')[0]?.verdict, 'fine');
  assert.equal(answer.of('redis.memory').length, 1);
  const { code, stdout } = await world.run(['doctor']);
  assert.equal(code, 0);
  assert.match(stdout, /^fine +database\.grants +\S/m);
  assert.match(stdout, /^\d+ fine, \d+ risky, 0 broken/m);
});

test('a topic with unclean election, compaction and a small message size', async () => {
  const config = { 'unclean.leader.election.enable': 'true', 'cleanup.policy': 'compact', 'max.message.bytes': '1000' };
  const bad: TestTopic = await createTestTopic({ prefix: world.prefix, config });
  try {
    await world.db.query(
      'INSERT INTO kafka_row_sender_dead_letter (id, lane, state, event_id, topic, size, attempts, attempt_token, error, due_at, first_at, last_at) VALUES (1, 0, ?, ?, ?, 900, 1, 0, ?, NOW(), NOW(), NOW())',
      ['dead', 'orders:1', bad.name, 'too large'],
    );
    const answer = await doctor({ KAFKA_ROW_SENDER_KAFKA_TOPIC: bad.name });
    assert.equal(answer.code, 1);
    assert.deepEqual(broken(answer), ['kafka.unclean-election']);
    const unclean = answer.of('kafka.unclean-election').find(({ about }) => about === `topic ${bad.name}`);
    assert.match(
      unclean?.mend ?? '',
      /^kafka-configs\.sh .* --entity-name \S+ --add-config unclean\.leader\.election\.enable=false$/,
    );
    assert.equal(answer.of('kafka.cleanup-policy')[0]?.verdict, 'risky');
    assert.equal(answer.of('kafka.message-size')[0]?.verdict, 'risky');
    assert.equal(answer.of('relay.aside')[0]?.verdict, 'risky');
  } finally {
    await world.db.query('DELETE FROM kafka_row_sender_dead_letter');
    await bad.drop();
  }
});

test('two processes with one INSTANCE_ID are seen by their heartbeats, and LANES that is not what is', async () => {
  const rows = Array.from({ length: ROWS }, (_, at) => [`customer-${at % 7}`, at]);
  await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
  const env = { ...world.env, KAFKA_ROW_SENDER_INSTANCE_ID: 'one' };
  const start = () => spawnApp('apps/cli/main.ts', env, { args: ['run'] });
  const apps = [start()];
  try {
    const verified = await world.run(['verify', '--wait', '60']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const alone = await doctor({ KAFKA_ROW_SENDER_LANES: '9' });
    assert.equal(alone.code, 0, JSON.stringify(broken(alone)));
    assert.deepEqual(
      alone.of('relay.instance-ids').map(({ verdict, says }) => [verdict, says]),
      [['fine', '2 members']],
    );
    assert.match(alone.of('relay.lane-count')[0]?.mend ?? '', /lane grow orders 9, or set \S+LANES=4$/);
    apps.push(start());
    await apps[1]?.waitForLog(({ event }) => event === 'members', 30_000);
    // Each new producer fences the other's, and a process that just opened one may miss a beat: one look may see too few.
    const seenTwice = async () => (await doctor()).of('relay.instance-ids').some(({ verdict }) => verdict === 'risky');
    await until('both processes to be seen', seenTwice, 60_000);
  } finally {
    await Promise.all(apps.map((app) => app.stop()));
  }
});

test('a table emptied by TRUNCATE while no writer runs: its next id is behind the watermark, and what will help is said', async () => {
  await world.db.query('TRUNCATE orders');
  const answer = await doctor();
  assert.deepEqual(broken(answer), ['database.source-position']);
  const mend = answer.of('database.source-position')[0]?.mend ?? '';
  assert.match(mend, /a writer halts the source .*kafka-row-sender source accept orders --dry-run/);
  await world.db.query(`ALTER TABLE orders AUTO_INCREMENT = ${ROWS + 1}`);
  assert.deepEqual(broken(await doctor()), []);
});

/** Changes one lane for the time of a look. */
async function withLane(lane: number, change: string, look: (answer: Answer) => void): Promise<void> {
  const [rows] = await world.db.query('SELECT * FROM kafka_row_sender_lane WHERE lane = ?', [lane]);
  const [before] = rows as { state: string; why: string | null; delivered_id: number | null }[];
  assert.ok(before);
  await world.db.query(`UPDATE kafka_row_sender_lane SET ${change} WHERE lane = ?`, [lane]);
  look(await doctor());
  await world.db.query('UPDATE kafka_row_sender_lane SET state = ?, why = ?, delivered_id = ? WHERE lane = ?', [
    before.state,
    before.why,
    before.delivered_id,
    lane,
  ]);
}

test('a lane halted, a marker behind, a marker of a lane that never delivered, a database older than Kafka', async () => {
  await withLane(1, "state = 'halted', why = 'for the test'", (answer) => {
    assert.deepEqual(broken(answer), ['relay.lane-states']);
    assert.match(answer.of('relay.lane-states')[0]?.says ?? '', /^halted: for the test$/);
  });
  await withLane(2, `delivered_id = ${2 * LANE_SPAN + 9_999}`, (answer) => {
    assert.deepEqual(broken(answer), ['relay.markers']);
    assert.match(answer.of('relay.markers')[0]?.mend ?? '', /lane resume 2 --from delivered/);
  });
  await withLane(2, 'delivered_id = NULL', (answer) => {
    assert.match(answer.of('relay.markers')[0]?.says ?? '', /never delivered by this database/);
  });
  await world.db.query('UPDATE kafka_row_sender_watermark SET next_sequence = 2');
  const restored = await doctor();
  await world.db.query('UPDATE kafka_row_sender_watermark SET next_sequence = ?', [ROWS + 1]);
  assert.deepEqual(broken(restored), ['relay.markers']);
  assert.ok(restored.of('relay.markers').every(({ says }) => /a restored backup/.test(says)));
  assert.deepEqual(broken(await doctor()), []);
});

test('another deployment under the same prefix is seen at work', async () => {
  const connection = connectKafka({
    brokers: testEnvironment().kafkaBrokers,
    clientId: 'stranger',
    logger: silentLogger,
    prefix: world.prefix,
    outboxTable: 'kafka_row_sender_outbox',
  });
  const port = createKafkaPortOn(connection);
  const session = await port.open(`${world.prefix}.stranger`);
  const ended = new AbortController();
  const deliver = async () => {
    for (let count = 1; !ended.signal.aborted; count += 1) {
      await session.transact([], [{ kind: 'retry', lane: 0, value: count }]);
      await systemClock.sleep(5);
    }
  };
  const delivering = deliver();
  try {
    const answer = await doctor();
    assert.deepEqual(broken(answer), ['kafka.strangers']);
    assert.equal(answer.of('kafka.strangers')[0]?.about, `${world.prefix}.stranger`);
  } finally {
    ended.abort();
    await delivering;
    await session.close();
    await port.close();
  }
});

test('a user with too few rights: each one that is missing, and the statement that gives it', async () => {
  const { host, port, user, password } = testEnvironment().database;
  const name = world.env.KAFKA_ROW_SENDER_DB_NAME;
  limited = `krs_${world.prefix.slice(-10)}`;
  await world.db.query(`CREATE USER '${limited}'@'%' IDENTIFIED BY 'limited'`);
  await world.db.query(`GRANT SELECT ON \`${name}\`.* TO '${limited}'@'%'`);
  await world.db.query(`GRANT INSERT, DELETE ON \`${name}\`.kafka_row_sender_outbox TO '${limited}'@'%'`);
  const env = { KAFKA_ROW_SENDER_DB_USER: limited, KAFKA_ROW_SENDER_DB_PASSWORD: 'limited' };
  const answer = await doctor(env);
  assert.equal(answer.code, 1);
  assert.deepEqual(broken(answer), ['database.grants']);
  const missing = Object.fromEntries(answer.of('database.grants').map(({ about, says }) => [about, says]));
  assert.deepEqual(missing, {
    'table kafka_row_sender_watermark': 'INSERT, UPDATE denied',
    'table kafka_row_sender_lane': 'INSERT, UPDATE denied',
    'table kafka_row_sender_member': 'INSERT, UPDATE, DELETE denied',
    'table kafka_row_sender_dead_letter': 'INSERT, UPDATE, DELETE denied',
    'table kafka_row_sender_topic': 'INSERT, UPDATE denied',
    'table kafka_row_sender_gap': 'INSERT, UPDATE, DELETE denied',
    'table kafka_row_sender_source_facts': 'INSERT, UPDATE denied',
  });
  assert.equal(answer.of('database.gap-mode')[0]?.verdict, 'risky');
  assert.equal(answer.of('database.oldest-transaction')[0]?.verdict, 'unknown');
  const admin = await mysql.createConnection({ host, port, user, password });
  for (const { mend } of answer.of('database.grants')) await admin.query(mend ?? '');
  await admin.end();
  assert.deepEqual(broken(await doctor(env)), []);
});

test('servers that are away are named, the others are looked at; exit 3', async () => {
  const kafka = await doctor({ KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' });
  assert.equal(kafka.code, 3);
  assert.deepEqual(
    kafka.away.map(({ server }) => server),
    ['kafka'],
  );
  assert.equal(kafka.of('database.grants')[0]?.verdict, 'fine');
  const others = await doctor({
    KAFKA_ROW_SENDER_DB_PORT: '1',
    KAFKA_ROW_SENDER_REDIS_URL: 'redis://:geheim@127.0.0.1:1',
  });
  assert.equal(others.code, 3);
  assert.deepEqual(
    others.away.map(({ server }) => server),
    ['redis', 'database'],
  );
  assert.equal(others.of('kafka.transactions')[0]?.verdict, 'fine');
  assert.doesNotMatch(JSON.stringify(others.away), /geheim/);
});
