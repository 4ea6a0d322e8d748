/** A server that calls itself something else: each command names the engine found, and rows flow as on any other. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failOnLeaks, type RenamingProxy, spawnApp, startRenamingProxy } from '#testkit';
import { type CliEnvironment, type CliWorld, openCliWorld } from '../test/cli-world.ts';

let world: CliWorld;
let proxy: RenamingProxy;
let renamed: CliEnvironment;

const NAME = /(mariadb|mysql) \d+\.\d+\.\d+, which calls itself "8\.0\.41-google \(Google\)"/;

before(async () => {
  world = await openCliWorld('krs_cli_renamed');
  proxy = await startRenamingProxy({ version: '8.0.41-google', comment: '(Google)' });
  renamed = { KAFKA_ROW_SENDER_DB_HOST: proxy.host, KAFKA_ROW_SENDER_DB_PORT: String(proxy.port) };
  const { code, stdout, stderr } = await world.run(['init', '--create-topics', '--partitions', '2'], renamed);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^canary table created/m);
});

after(async () => {
  await proxy?.stop();
  await world?.close();
});
failOnLeaks();

test('config check, status and doctor name the engine and what it calls itself; its locks are believed', async () => {
  const check = await world.run(['config', 'check'], renamed);
  assert.equal(check.code, 0, check.stdout + check.stderr);
  assert.match(check.stdout, new RegExp(`^ok +database \\S+: ${NAME.source}$`, 'm'));
  assert.doesNotMatch(check.stdout, /gap mode time/);
  const status = await world.run(['status'], renamed);
  assert.match(status.stdout, new RegExp(`^database +${NAME.source} at `, 'm'));
  const doctor = JSON.parse((await world.run(['doctor', '--json'], renamed)).stdout) as {
    findings: { check: string; verdict: string; says: string }[];
  };
  const verdicts = doctor.findings.filter(({ check: name }) => /^database\.(engine|gap-mode)$/.test(name));
  assert.deepEqual([...new Set(verdicts.map(({ verdict }) => verdict))], ['fine'], JSON.stringify(verdicts));
  assert.match(JSON.stringify(verdicts), /which calls itself/);
});

test('the relay says it at start, and delivers', async () => {
  const rows = Array.from({ length: 50 }, (_, at) => [`customer-${at % 7}`, at]);
  await world.db.query('INSERT INTO orders (customer, amount) VALUES ?', [rows]);
  const relay = spawnApp('apps/cli/main.ts', { ...world.env, ...renamed }, { args: ['run'] });
  try {
    const verified = await world.run(['verify', '--wait', '60'], renamed);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr + relay.output());
  } finally {
    assert.equal((await relay.stop()).code, 0, relay.output());
  }
  const connected = relay
    .output()
    .split('\n')
    .find((line) => line.includes('database connected'));
  assert.match(connected?.replaceAll('\\"', '"') ?? '', NAME);
});
