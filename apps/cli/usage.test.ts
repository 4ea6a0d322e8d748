/** What needs no server: help, version, mistakes, `init-sql`, `settings`, `config`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from '../test/cli-world.ts';

const oneLine = (text: string): void => assert.equal(text.trim().split('\n').length, 1, text);

test('help names every command and the exit codes', async () => {
  const { code, stdout } = await runCli(['help']);
  assert.equal(code, 0);
  for (const command of ['run', 'init', 'init-sql', 'config', 'status', 'verify', 'lane', 'dead-letters', 'version']) {
    assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'));
  }
  assert.match(stdout, /Exit codes: 0 done, 1 check failed, 2 bad usage/);
  assert.equal((await runCli(['--help'])).stdout, stdout);
});

test('version is the package’s', async () => {
  const { code, stdout } = await runCli(['version']);
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal((await runCli(['--version'])).stdout, stdout);
});

test('a mistake is one clear line with the nearest name, and exit code 2', async () => {
  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['statsu'], /unknown command 'statsu'.*status/],
    [['status', '--jsno'], /unknown option '--jsno'.*--json/],
    [['--confg', 'x'], /unknown option '--confg'.*--config/],
    [['lane', 'pause', 'three'], /'three'.*integer from 0 to 1023/],
    [['verify', '--wait', '-1'], /--wait.*seconds from 0/i],
    [['init', '--partitions', '0'], /--partitions.*integer from 1/],
    [['dead-letters', 'drop', '7'], /--yes/],
    [['--config', '/nowhere.yaml', 'status'], /\/nowhere\.yaml: the file cannot be read/],
  ];
  for (const [args, expected] of mistakes) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, expected);
    oneLine(stderr);
    assert.equal(stdout, '');
  }
});

test('everything missing is refused in one message, also by the default command', async () => {
  const { code, stderr } = await runCli([]);
  assert.equal(code, 2);
  for (const name of ['DB_USER', 'DB_NAME', 'SOURCE_TABLE', 'KAFKA_TOPIC']) assert.match(stderr, new RegExp(name));
});

test('init-sql needs no settings and takes other names', async () => {
  const plain = await runCli(['init-sql']);
  assert.equal(plain.code, 0, plain.stderr);
  assert.equal(plain.stderr, '');
  for (const table of ['watermark', 'outbox', 'lane', 'member', 'dead_letter', 'topic', 'canary']) {
    assert.match(plain.stdout, new RegExp(`TABLE IF NOT EXISTS \`kafka_row_sender_${table}\``));
  }
  assert.match(plain.stdout, /^-- GRANT PROCESS ON \*\.\* TO 'relay'@'%';$/m);
  const tidb = await runCli(['init-sql', '--engine', 'tidb']);
  assert.doesNotMatch(tidb.stdout, /canary|PROCESS/);
  const named = await runCli(['init-sql', '--watermark-table', 'my_watermark', '--outbox-table=my_outbox']);
  assert.equal(named.code, 0, named.stderr);
  assert.match(named.stdout, /`my_watermark`/);
  assert.match(named.stdout, /`my_outbox`/);
  assert.doesNotMatch(named.stdout, /kafka_row_sender_(watermark|outbox)/);
  assert.match((await runCli(['init-sql', '--lane-table', 'a`b'])).stdout, /TABLE IF NOT EXISTS `a``b`/);
  const refused = await runCli(['init-sql', '--lane-table', 'a ']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--lane-table/);
});

const SETTINGS = {
  KAFKA_ROW_SENDER_DB_USER: 'app',
  KAFKA_ROW_SENDER_DB_PASSWORD: 'geheim-1',
  KAFKA_ROW_SENDER_DB_NAME: 'shop',
  KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
  KAFKA_ROW_SENDER_KAFKA_TOPIC: 'orders',
  KAFKA_ROW_SENDER_REDIS_URL: 'redis://user:geheim-2@redis.example:6379/1',
};

test('config shows values and where they came from, and never a secret', async () => {
  const { code, stdout } = await runCli(['config'], SETTINGS);
  assert.equal(code, 0);
  assert.match(stdout, /^SETTING +VALUE +FROM$/m);
  assert.match(stdout, /^KAFKA_ROW_SENDER_DB_NAME +shop +environment$/m);
  assert.match(stdout, /^KAFKA_ROW_SENDER_DB_PORT +3306 +default$/m);
  assert.match(stdout, /^KAFKA_ROW_SENDER_DB_PASSWORD +\*\*\* +environment$/m);
  assert.match(stdout, /redis:\/\/\*\*\*@redis\.example:6379\/1/);
  const json = await runCli(['config', '--json'], SETTINGS);
  const shown = JSON.parse(json.stdout) as { name: string; value: string; origin: string }[];
  assert.deepEqual(
    shown.find(({ name }) => name === 'KAFKA_ROW_SENDER_SOURCE_TABLE'),
    { name: 'KAFKA_ROW_SENDER_SOURCE_TABLE', value: 'orders', origin: 'environment' },
  );
  assert.doesNotMatch(stdout + json.stdout, /geheim/);
});

test('settings explains every setting', async () => {
  const { code, stdout } = await runCli(['settings']);
  assert.equal(code, 0);
  assert.match(stdout, /KAFKA_ROW_SENDER_KAFKA_TRANSACTIONAL_ID_PREFIX\n/);
});
