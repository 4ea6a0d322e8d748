/**
 * A broker that was set up for a cluster of three and runs alone: transactions cannot be kept there, and every command and process says
 * why and what to set. And topics whose names Kafka takes for the same.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failOnLeaks, freePort, type KafkaServer, startKafka, testKafka } from '#testkit';
import { type CliWorld, openCliWorld, runCli } from '../test/cli-world.ts';

const FACTOR =
  /Kafka cannot make __transaction_state: transaction\.state\.log\.replication\.factor is 3 and the cluster has 1 broker; set it to 1 in the brokers' server\.properties and restart them, or start more brokers/;
const LOG_DEADLINE_MS = 60_000;

let kafka: KafkaServer;
let world: CliWorld;
let env: Record<string, string>;

before(async () => {
  const port = await freePort();
  kafka = await startKafka({
    // As advertised ports are said, nothing is tried beforehand: there is nothing to warm up.
    ports: [port],
    advertisedPorts: [port],
    properties: { 'transaction.state.log.replication.factor': 3, 'transaction.state.log.min.isr': 2 },
  });
  world = await openCliWorld('krs_lone');
  env = { ...world.env, KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap };
});
after(async () => {
  await world?.close();
  await kafka?.stop();
});
failOnLeaks();

test('a topic that Kafka takes for another one', async () => {
  const admin = testKafka(kafka.bootstrap).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'or.ders', numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const { code, stderr } = await runCli(['init', '--topic', 'or_ders'], env);
  assert.equal(code, 2, stderr);
  assert.match(
    stderr,
    /topic or_ders: INVALID_TOPIC_EXCEPTION: topic or\.ders is there, and Kafka takes \. and _ for the same/,
  );
});

test('init, config check and doctor name the setting', async () => {
  const init = await runCli(['init', '--create-topics'], env);
  assert.match(init.stdout, /topic created/);
  assert.match(init.stderr, FACTOR);
  assert.equal(init.code, 3);
  const check = await runCli(['config', 'check'], env);
  assert.match(check.stdout, new RegExp(`^FAILED {2}transactions: ${FACTOR.source}$`, 'm'));
  assert.equal(check.code, 3, check.stdout);
  const doctor = await runCli(['doctor'], env);
  assert.match(doctor.stdout, new RegExp(`^BROKEN .*kafka\\.transactions .*${FACTOR.source}`, 'm'));
});

test('a process names it, too, and goes on trying', async () => {
  await world.db.query("INSERT INTO orders (customer, amount) VALUES ('a', 1)");
  const stopping = new AbortController();
  const late = setTimeout(() => stopping.abort(), LOG_DEADLINE_MS);
  const { code, stdout } = await runCli(['run'], env, stopping.signal, (line) => {
    if (FACTOR.test(line)) stopping.abort();
  });
  clearTimeout(late);
  assert.match(stdout, FACTOR);
  assert.equal(code, 0);
});
