/**
 * Every name that a server takes, end to end on a real one: database, source tables and columns, an application's outbox table and its
 * archive, the relay's own tables and the inbox have quotes, dots, question marks, spaces and letters of anywhere in their names.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { stringify } from 'yaml';
import { OutboxRepository } from '#application-outbox';
import { inboxTableSql, once } from '#inbox';
import {
  createDeployment,
  type Deployment,
  failOnLeaks,
  OUTBOX_LIBRARIES,
  openOutboxLibrary,
  readTopic,
  until,
} from '#testkit';

import { runCli } from '../test/cli-world.ts';

const WAIT_MS = 60_000;
const SOURCE = '1 order-events größe.`?"\' $& {x} ; -- 漢';
const ID = 'select `?` id';
const KEY = "key, 'col'?";
const LONG = `4${'ü'.repeat(63)}`;
const EVENTS = 'out box.?`"';
const ARCHIVE = "arch'ive.%_`?";
const OWN = ['OUTBOX', 'WATERMARK', 'LANE', 'MEMBER', 'DEAD_LETTER', 'TOPIC', 'GAP', 'SOURCE_FACTS'];
const ownTable = (name: string): string => `${name.toLowerCase()} é.?\`"'`;
/** Prisma needs seconds to make its client, and takes the same text as the others. */
const LIBRARIES = OUTBOX_LIBRARIES.filter((name) => name !== 'prisma');
const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

let relay: Deployment;
let dir: string;
let database: string;
let db: mysql.Connection;

before(async () => {
  relay = await createDeployment({ name: 'krs_names', source: { table: SOURCE, keyColumn: KEY } });
  database = `${relay.name} my-shop größe.?\`"'`;
  dir = await mkdtemp(join(tmpdir(), 'krs-names-'));
  const { host, port, user, password } = relay.database;
  db = await mysql.createConnection({ host, port, user, password, multipleStatements: true });
  await db.query(`CREATE DATABASE ${quote(database)} CHARACTER SET utf8mb4; USE ${quote(database)}`);
  await db.query(`CREATE TABLE ${quote(SOURCE)} (${quote(ID)} BIGINT AUTO_INCREMENT PRIMARY KEY,
    ${quote(KEY)} VARCHAR(20), ${quote(LONG)} FLOAT, \`größe\` JSON, \`"\` INT)`);
  const path = join(dir, 'relay.yaml');
  const sources = [
    { name: 'rows', table: SOURCE, watermark_column: ID, key_column: KEY, topic: relay.topic, lanes: 2 },
    {
      ...{ name: 'events', table: EVENTS, mode: 'consume', archive_table: ARCHIVE, lanes: 2 },
      event_headers: ['`type`:ty.pe', 'correlationid'],
      event_topic_prefix: `${relay.name}.`,
    },
  ];
  await writeFile(path, stringify({ sources }));
  const { env } = relay as { env: Record<string, string> };
  for (const name of ['SOURCE_TABLE', 'SOURCE_WATERMARK_COLUMN', 'KAFKA_KEY_COLUMN', 'KAFKA_TOPIC', 'REDIS_URL']) {
    delete env[`KAFKA_ROW_SENDER_${name}`];
  }
  env.KAFKA_ROW_SENDER_CONFIG = path;
  env.KAFKA_ROW_SENDER_DB_NAME = database;
  for (const name of OWN) env[`KAFKA_ROW_SENDER_${name}_TABLE`] = ownTable(name);
});

after(async () => {
  await db?.query(`DROP DATABASE IF EXISTS ${quote(database)}`);
  await db?.end();
  await relay?.drop();
  await rm(dir, { recursive: true, force: true });
});
failOnLeaks();

async function succeeds(...args: string[]): Promise<string> {
  const { code, output } = await relay.cli(...args);
  assert.equal(code, 0, `${args.join(' ')}: ${output}`);
  return output;
}

test('init-sql makes what init finds there', async () => {
  const { stdout, stderr } = await runCli(['init-sql', '--event-table', quote(EVENTS)], relay.env);
  assert.equal(stderr, '');
  await db.query(stdout);
  const flags = ['--create-topics', '--topic', `${relay.name}.order`, '--partitions', '2', '--event-tables'];
  const output = await succeeds('init', ...flags);
  assert.match(output, /^tables already there: /m);
  assert.ok(output.includes(`event table already there: ${EVENTS}`), output);
  assert.ok(output.includes(`event table created: ${ARCHIVE}`), output);
});

test('rows and events arrive, once, with their names as they are; commands and the inbox work', async () => {
  await succeeds('config', 'check');
  const run = relay.run();
  await db.query(`INSERT INTO ${quote(SOURCE)} VALUES (1, 'k?', 1.5, '{"a":1}', 7), (2, 'k?', NULL, NULL, NULL)`);
  const outbox = new OutboxRepository({ table: quote(EVENTS) });
  const event = { type: 'T', aggregateType: 'order', aggregateId: 'a?', payload: { x: 1 }, correlationId: 'c' };
  const place = { ...relay.database, name: database };
  for (const name of LIBRARIES) {
    const library = await openOutboxLibrary(name, place);
    await library.transact(async (tx) => void (await outbox.add(tx, { ...event, id: name })));
    await library.close();
  }
  const sent = () => readTopic(relay.topic);
  await until('both rows', async () => (await sent()).length === 2, WAIT_MS);
  const [first] = await sent();
  assert.deepEqual(JSON.parse(String(first?.value)), { [ID]: 1, [KEY]: 'k?', [LONG]: 1.5, größe: { a: 1 }, '"': 7 });
  assert.deepEqual([first?.key, first?.headers.id], ['k?', 'rows:1']);
  const events = () => readTopic(`${relay.name}.order`);
  await until('all events', async () => (await events()).length === LIBRARIES.length, WAIT_MS);
  const [one] = await events();
  assert.deepEqual([one?.key, one?.headers['ty.pe'], one?.headers.correlationid], ['a?', 'T', 'c']);
  const archived = await db.query(`SELECT COUNT(*) AS n FROM ${quote(ARCHIVE)}`);
  assert.deepEqual(archived[0], [{ n: LIBRARIES.length }]);
  assert.match(await succeeds('verify', '--wait', '60'), /delivered 7 of 7/);
  assert.match(await succeeds('status'), /^rows /m);
  const doctor = await relay.cli('doctor');
  assert.doesNotMatch(doctor.output, /^broken/im, doctor.output);
  assert.ok(run.running, run.output());
  await relay.stopAll();
});

test("an inbox in another database, with a dot in the table's name", async () => {
  const table = `${quote(database)}.\`in.box?\``;
  await db.query('USE mysql');
  for (const sql of inboxTableSql({ table })) await db.query(sql);
  for (const outcome of ['handled', 'duplicate']) {
    await db.beginTransaction();
    assert.equal(await once(db, 'e', async () => undefined, { table }), outcome);
    await db.commit();
  }
});
