/** What people are told of the gap mode, as a user with the documented grants, without PROCESS and with it; and who holds gaps. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { GRANTS } from '#outbox-storage';
import { spawnApp, testEnvironment, until } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const COMMANDS = [['init', '--no-kafka'], ['config', 'check'], ['doctor'], ['status']] as const;
const HOSTS = ['%', 'localhost'];
const HOLDER_DEADLINE_MS = 30_000;

let world: CliWorld;
let user: string;
/** What mode `locks` needs on this server. */
let graceS: number;

const tableOf = (key: string): string => `kafka_row_sender_${key.replaceAll(/[A-Z]/g, (of) => `_${of.toLowerCase()}`)}`;

before(async () => {
  world = await openCliWorld('krs_cli_gaps');
  const { code, stderr } = await world.run(['init', '--create-topics', '--partitions', '2']);
  assert.equal(code, 0, stderr);
  const [[wait]] = await world.db.query<mysql.RowDataPacket[]>('SELECT @@GLOBAL.innodb_lock_wait_timeout AS s');
  graceS = Number(wait?.s) + 10;
  user = `krs_${world.prefix.slice(-10)}`;
  const name = world.env.KAFKA_ROW_SENDER_DB_NAME;
  for (const host of HOSTS) {
    const who = `'${user}'@'${host}'`;
    await world.db.query(`CREATE USER ${who} IDENTIFIED BY 'x'`);
    await world.db.query(`GRANT SELECT ON \`${name}\`.orders TO ${who}`);
    await world.db.query(`GRANT SELECT, INSERT ON \`${name}\`.kafka_row_sender_canary TO ${who}`);
    for (const [key, { privileges }] of Object.entries(GRANTS)) {
      await world.db.query(`GRANT ${privileges.join(', ')} ON \`${name}\`.${tableOf(key)} TO ${who}`);
    }
  }
});

after(async () => {
  if (user) await world.db.query(`DROP USER IF EXISTS '${user}'@'%', '${user}'@'localhost'`);
  await world?.close();
});

const asUser = () => ({ KAFKA_ROW_SENDER_DB_USER: user, KAFKA_ROW_SENDER_DB_PASSWORD: 'x' });

async function said(args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stdout, stderr } = await world.run(args, { ...asUser(), ...more });
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

async function logged(): Promise<Readonly<Record<string, unknown>>> {
  const relay = spawnApp('apps/cli/main.ts', { ...world.env, ...asUser() }, { args: ['run'] });
  try {
    return await relay.waitForLog((line) => line.gapMode !== undefined, HOLDER_DEADLINE_MS);
  } finally {
    await relay.stop();
  }
}

test('without PROCESS: mode locks, its condition, and the one statement that improves it', async () => {
  for (const args of COMMANDS) {
    const text = await said(args);
    const at = args.join(' ');
    assert.match(text, /\blocks \(this user has no PROCESS privilege/, at);
    assert.match(
      text,
      new RegExp(`a row is lost when its statement puts it into the table more than ${graceS} s after taking its id`),
      at,
    );
    assert.match(text, new RegExp(`GRANT PROCESS ON \\*\\.\\* TO '${user}'@'(%|localhost)'`), at);
  }
  const { gapMode, msg, better } = await logged();
  assert.equal(gapMode, 'locks');
  assert.match(
    String(msg),
    /^gap mode locks: a row is lost when .*; GRANT PROCESS .* makes the promise unconditional$/,
  );
  assert.match(String(better), /^GRANT PROCESS/);
});

test('a grace too short for mode locks is a warning', async () => {
  const short = { KAFKA_ROW_SENDER_SOURCE_GAP_GRACE: String(graceS - 1) };
  const warning = `SOURCE_GAP_GRACE is ${graceS - 1} s: `;
  const set = `.*set ${graceS} at least`;
  assert.match(await said(['config', 'check'], short), new RegExp(`^warning source orders: ${warning}${set}`, 'm'));
  assert.match(await said(['doctor'], short), new RegExp(`^RISKY +database\\.gap-mode .*${warning}`, 'm'));
  const enough = { KAFKA_ROW_SENDER_SOURCE_GAP_GRACE: String(graceS) };
  assert.doesNotMatch(await said(['config', 'check'], enough), /^warning/m);
});

test('with PROCESS: mode transactions, and no condition', async () => {
  for (const host of HOSTS) await world.db.query(`GRANT PROCESS ON *.* TO '${user}'@'${host}'`);
  for (const args of COMMANDS) {
    const text = await said(args);
    assert.match(text, /\btransactions\b/, args.join(' '));
    assert.doesNotMatch(text, /a row is lost|GRANT PROCESS/, args.join(' '));
    if (args[0] !== 'status') assert.match(text, /no committed row is lost, however long/, args.join(' '));
  }
  const { gapMode, msg } = await logged();
  assert.equal(gapMode, 'transactions');
  assert.match(String(msg), /^gap mode transactions: no committed row is lost/);
});

test('a grace too short for mode transactions is a warning', async () => {
  const short = { KAFKA_ROW_SENDER_SOURCE_GAP_GRACE: '0.1' };
  assert.match(
    await said(['config', 'check'], short),
    /^warning source orders: SOURCE_GAP_GRACE is 0\.1 s: .*set 0\.2 at least/m,
  );
  assert.match(await said(['doctor'], short), /^RISKY +database\.gap-mode .*SOURCE_GAP_GRACE is 0\.1 s/m);
  assert.doesNotMatch(await said(['config', 'check'], { KAFKA_ROW_SENDER_SOURCE_GAP_GRACE: '0.2' }), /^warning/m);
});

test('status and doctor name the transaction that holds missing ids', async () => {
  const { host, port, user: owner, password } = testEnvironment().database;
  const database = String(world.env.KAFKA_ROW_SENDER_DB_NAME);
  const holder = await mysql.createConnection({ host, port, user: owner, password, database });
  const relay = spawnApp('apps/cli/main.ts', { ...world.env, ...asUser() }, { args: ['run'] });
  try {
    await holder.beginTransaction();
    await holder.query("INSERT INTO orders (customer, amount) VALUES ('late', 1)");
    await world.db.query("INSERT INTO orders (customer, amount) VALUES ('early', 2)");
    const held = new RegExp(
      `^open gaps +held by the transaction of connection ${holder.threadId}, open since \\d{4}-`,
      'm',
    );
    await until('status to show the gap', async () => held.test(await said(['status'])), HOLDER_DEADLINE_MS);
    assert.match(await said(['status']), /^orders .* 1 id \(oldest [\d.]+ s\) +transactions$/m);
    await world.db.query('UPDATE kafka_row_sender_gap SET opened_at = NOW(6) - INTERVAL 90 SECOND');
    const line = new RegExp(
      `^RISKY +database\\.oldest-transaction +source orders: 1 missing id .* held by the transaction of connection ${holder.threadId}, open since .*KILL ${holder.threadId} ends it`,
      'ms',
    );
    assert.match(await said(['doctor']), line);
    await holder.commit();
    const closed = async () => !/^open gaps/m.test(await said(['status']));
    await until('the gap to close', closed, HOLDER_DEADLINE_MS);
  } finally {
    await holder.end();
    await relay.stop();
  }
});
