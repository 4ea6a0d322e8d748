/** Refusals: values out of bounds, unknown names, contradictions, each with one clear line, all in one message. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { type LoadedConfig, loadConfig } from './load-config.ts';

const REQUIRED = { DB_USER: 'relay', DB_NAME: 'shop', SOURCE_TABLE: 'orders', KAFKA_TOPIC: 'orders' };
type Short = Readonly<Record<string, string>>;

function prefixed(settings: Short): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]));
}

function load(settings: Short): LoadedConfig {
  return loadConfig({ env: prefixed({ ...REQUIRED, ...settings }) });
}

/** The lines of the refusal, without its head. */
function refusal(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof RelayError);
    assert.equal(error.code, 'CONFIG_INVALID');
    assert.equal(error.exitCode, 2);
    return error.message.replace(/^configuration refused(, \d+ problems:\n {2}|: )/, '').split('\n  ');
  }
  return assert.fail('nothing was refused');
}

const REFUSED_VALUES: readonly (readonly [string, string, RegExp])[] = [
  ['DB_PORT', 'abc', /"abc" is not allowed; give an integer, 1 to 65535/],
  ['DB_PORT', '0', /give an integer/],
  ['DB_PORT', '65536', /give an integer/],
  ['DB_PORT', '1e3', /give an integer/],
  ['LANES', '1025', /give an integer, 1 to 1024/],
  ['LANES', '1.5', /give an integer/],
  ['WRITER_LOCK_TTL', '2.9', /give seconds, 3 to 3600/],
  ['LANE_LEASE', '4', /give seconds, 5 to 3600/],
  ['KAFKA_TRANSACTION_TIMEOUT', '9', /give seconds, 10 to 900/],
  ['KAFKA_TRANSACTION_TIMEOUT', '901', /give seconds, 10 to 900/],
  ['SHUTDOWN_TIMEOUT', '25s', /give seconds/],
  ['SHUTDOWN_TIMEOUT', '-1', /give seconds/],
  ['KAFKA_SSL', 'maybe', /give true or false/],
  ['KAFKA_ACKS', '2', /give all, 1, 0 or -1/],
  ['KAFKA_COMPRESSION', 'brotli', /"brotli" is not allowed; give none, gzip, snappy, lz4 or zstd/],
  ['ROW_FAULT_POLICY', 'skip', /dead-letter, park-key or halt/],
  ['SOURCE_GAP_MODE', 'lock', /auto, transactions, locks or time/],
  ['START_FROM', '-3', /earliest, latest or an id/],
  ['SOURCE_TABLE', 'x'.repeat(65), /1 to 64 characters/],
  ['SOURCE_TABLE', 'or\u{1f600}ders', /without characters above U\+FFFF/],
  ['OUTBOX_TABLE', 'a\tb', /without control characters/],
  ['DB_NAME', 'shop ', /without a space at its end/],
  ['KAFKA_KEY_COLUMN', 'a b ', /without a space at its end/],
  ['SOURCE_COLUMNS', `a,${'x'.repeat(65)}`, /1 to 64 characters/],
  ['SOURCE_COLUMNS', 'a,,b', /column names separated by commas/],
  ['SOURCE_COLUMNS', 'a,b,a', /name a only once/],
  ['SOURCE_NAME', 'a/b', /letters, digits/],
  ['KAFKA_TOPIC', 'a topic', /a topic name/],
  ['KAFKA_TOPIC', '..', /a topic name/],
  ['KAFKA_BOOTSTRAP_SERVERS', 'localhost', /host:port/],
  ['KAFKA_TRANSACTIONAL_ID_PREFIX', 'a b', /letters, digits/],
  ['REDIS_URL', 'localhost:6379', /the value is not allowed; give redis:\/\//],
  ['LOG_LEVEL', 'loud', /trace, debug/],
  ['SHUTDOWN_TIMEOUT', '1500ms', /give seconds, 1 to 3600, without a unit: 1.5$/],
  ['LANE_LEASE', '1 m', /without a unit: 60$/],
  ['WRITER_BATCH_BYTES', '4MiB', /give an integer, bytes, 1024 to 67108864, without a unit: 4194304$/],
  ['LANES', '8s', /give an integer, 1 to 1024$/],
  ['DB_HOST', '127.0.0.1:3306', /give the host alone: the port is DB_PORT$/],
  ['DB_HOST', '[::1]:3306', /give the host alone: the port is DB_PORT$/],
  ['DB_HOST', 'mysql://db.example', /give the host alone, without a scheme/],
  ['DB_HOST', 'tcp://db.example:3306/shop', /give the host alone, without a scheme/],
  ['DB_HOST', 'db.example/shop', /give the name of a host, or its address/],
  ['DB_NAME', 'mysql://db.example/shop', /give the name alone, no URL/],
  ['HTTP_HOST', '0.0.0.0:9090', /the port is HTTP_PORT/],
  ['KAFKA_BOOTSTRAP_SERVERS', 'PLAINTEXT://kafka:9092', /give host:port without a scheme/],
  ['KAFKA_BOOTSTRAP_SERVERS', '::1:9092', /give an IPv6 address in brackets, such as \[::1\]:9092/],
  ['KAFKA_BOOTSTRAP_SERVERS', 'kafka:9092,[kafka]:9092', /give host:port/],
  ['KAFKA_BOOTSTRAP_SERVERS', 'kafka:99999', /give host:port/],
  ['DB_USER', 'a\nb', /on one line/],
];

for (const [name, raw, expected] of REFUSED_VALUES) {
  test(`refused: ${name}=${JSON.stringify(raw)}`, () => {
    const lines = refusal(() => load({ [name]: raw }));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.ok(lines[0]!.startsWith(`KAFKA_ROW_SENDER_${name}: `), lines[0]);
    assert.match(lines[0]!, expected);
  });
}

const UNKNOWN: readonly (readonly [string, RegExp])[] = [
  ['KAFKA_TOPPIC', /unknown setting; did you mean KAFKA_ROW_SENDER_KAFKA_TOPIC\?/],
  ['LANE', /did you mean KAFKA_ROW_SENDER_LANES\?/],
  ['HOST', /did you mean KAFKA_ROW_SENDER_(DB|HTTP)_HOST\?/],
  ['DB_PASSWRD_FILE', /did you mean KAFKA_ROW_SENDER_DB_PASSWORD_FILE\?/],
  ['DB_USER_FILE', /only a secret can come from a file; set KAFKA_ROW_SENDER_DB_USER$/],
  ['XYZZY_PLUGH_QUUX', /unknown setting; remove it/],
  ['constructor', /unknown setting/],
];

for (const [name, expected] of UNKNOWN) {
  test(`unknown name: ${name}`, () => {
    const [line, ...more] = refusal(() => load({ [name]: 'x' }));
    assert.deepEqual(more, []);
    assert.match(line!, expected);
  });
}

const MISTYPED: readonly (readonly [string, string])[] = [
  ['KAFKA_ROW_SENDR_DB_HOST', 'DB_HOST'],
  ['KAFKA_ROW_SNEDER_DB_HOST', 'DB_HOST'],
  ['KAFKAROW_SENDER_DB_PASSWORD_FILE', 'DB_PASSWORD_FILE'],
  ['KAFKAROWSENDER_DB_HOST', 'DB_HOST'],
  ['KAFKA_ROW_SENDERS_DB_HOST', 'DB_HOST'],
  ['KAFKA_ROW_SENDR_X', 'X'],
  ['kafka_row_sender_db_host', 'DB_HOST'],
];

const OAUTH_REFUSED: typeof REFUSED_VALUES = [
  ['KAFKA_SASL_OAUTH_EXTENSIONS', 'auth=x', /name=value/],
  ['KAFKA_SASL_OAUTH_EXTENSIONS', 'logicalCluster', /name=value/],
  ['KAFKA_SASL_OAUTH_TOKEN_COMMAND', "get-token 'x", /the value is not allowed; close the quote/],
  ['KAFKA_SASL_OAUTH_TOKEN_COMMAND', '["get-token", 1]', /the value is not allowed; give a JSON list of texts/],
];

for (const [name, raw, expected] of OAUTH_REFUSED) {
  test(`refused: ${name}=${raw}`, () => {
    const oauth = { KAFKA_SASL_MECHANISM: 'OAUTHBEARER', KAFKA_SASL_OAUTH_TOKEN_COMMAND: 'x', [name]: raw };
    const lines = refusal(() => load(oauth));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, expected);
  });
}

for (const [label, meant] of MISTYPED) {
  test(`mistyped prefix: ${label}`, () => {
    const lines = refusal(() => loadConfig({ env: { ...prefixed(REQUIRED), [label]: 'secret' } }));
    assert.deepEqual(lines, [`${label}: unknown setting; did you mean KAFKA_ROW_SENDER_${meant}?`]);
  });
}

test('names of other programs that are like ours are left alone', () => {
  const foreign = [
    'KAFKA_ROW_READER_DB_HOST',
    'KAFKA_SENDER_DB_HOST',
    'KAFKA_ROW_SENDER',
    'ROW_SENDER_DB_HOST',
    '_',
    '',
  ];
  const links = { KAFKA_ROW_SENDERS_SERVICE_HOST: '10.0.0.1', KAFKA_ROW_SENDERS_PORT: 'tcp://10.0.0.1:9090' };
  loadConfig({ env: { ...prefixed(REQUIRED), ...Object.fromEntries(foreign.map((name) => [name, 'x'])), ...links } });
});

test('a secret that begins or ends with space is taken as it is, with a warning', () => {
  const { config, warnings } = load({ DB_PASSWORD: ' geheim\n' });
  assert.equal(config.db.password, ' geheim\n');
  assert.match(
    warnings.join(),
    /^KAFKA_ROW_SENDER_DB_PASSWORD: begins or ends with a space or a line break, which counts/,
  );
  assert.ok(!warnings.join().includes('geheim'));
});

test('hosts: IPv6 with and without brackets, and nothing around it', () => {
  const hosts = { DB_HOST: '[::1] ', HTTP_HOST: '::', KAFKA_BOOTSTRAP_SERVERS: '[::1]:9092, [fe80::1]:9093,kafka-1:1' };
  const { db, http, kafka } = load(hosts).config;
  assert.deepEqual([db.host, http.host], ['::1', '::']);
  assert.deepEqual(kafka.bootstrapServers, ['[::1]:9092', '[fe80::1]:9093', 'kafka-1:1']);
  assert.equal(load({ DB_HOST: 'größe.example' }).config.db.host, 'größe.example');
});

const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ['get-token --now', ['get-token', '--now']],
  [`get-token  'a "b' "c 'd"`, ['get-token', 'a "b', "c 'd"]],
  [String.raw`"/my dir/get" a\ b"c\"d\\e\f" ''`, ['/my dir/get', String.raw`a bc"d\e\f`, '']],
  ['["/my dir/get", "a b", ""]', ['/my dir/get', 'a b', '']],
  ['get $HOME `id` ;x', ['get', '$HOME', '`id`', ';x']],
];

for (const [raw, words] of COMMANDS) {
  test(`command: ${raw}`, () => {
    const oauth = { KAFKA_SASL_MECHANISM: 'OAUTHBEARER', KAFKA_SASL_OAUTH_TOKEN_COMMAND: raw };
    const { config, shown } = load(oauth);
    const { sasl } = config.kafka;
    assert.deepEqual(sasl?.mechanism === 'OAUTHBEARER' && sasl.token.kind === 'command' && sasl.token.command, words);
    const value = shown.find(({ name }) => name.endsWith('TOKEN_COMMAND'))?.value;
    assert.equal(value, `${words[0]} ***`);
  });
}

test('the service variables of Kubernetes and foreign names are no settings of ours', () => {
  const links = {
    SERVICE_HOST: '10.0.0.1',
    SERVICE_PORT: '9090',
    SERVICE_PORT_HTTP: '9090',
    PORT: 'tcp://10.0.0.1:9090',
    PORT_9090_TCP: 'tcp://10.0.0.1:9090',
    PORT_9090_TCP_ADDR: '10.0.0.1',
    WRITER_SERVICE_HOST: '10.0.0.1',
  };
  load(links);
  loadConfig({ env: { ...prefixed(REQUIRED), PATH: '/bin', KAFKA_HOME: '/x' } });
  assert.match(refusal(() => load({ PORT: '9090' }))[0]!, /unknown setting/);
});

test('everything wrong is told in one message, one line a problem', () => {
  const lines = refusal(() =>
    loadConfig({
      env: prefixed({
        DB_PORT: 'x',
        LANES: '0',
        KAFKA_ACK: 'all',
        DB_PASSWORD_FILE: join(tmpdir(), 'no-such-secret-file'),
      }),
    }),
  );
  assert.deepEqual(lines.map((line) => line.split(':')[0]?.replace('KAFKA_ROW_SENDER_', '')).sort(), [
    'DB_NAME',
    'DB_PASSWORD_FILE',
    'DB_PORT',
    'DB_USER',
    'KAFKA_ACK',
    'KAFKA_TOPIC',
    'LANES',
    'SOURCE_TABLE',
  ]);
});

const CONTRADICTIONS: readonly (readonly [string, Short, RegExp])[] = [
  ['backoff', { KAFKA_RETRY_BACKOFF_BASE: '10', KAFKA_RETRY_BACKOFF_MAX: '5' }, /KAFKA_RETRY_BACKOFF_MAX: below/],
  ['idempotence', { KAFKA_ENABLE_IDEMPOTENCE: 'true', KAFKA_ACKS: '1' }, /true needs .*KAFKA_ACKS=all/],
  ['tables', { LANE_TABLE: 'x', MEMBER_TABLE: 'X' }, /MEMBER_TABLE: names the same table as .*LANE_TABLE/],
  ['own table', { SOURCE_TABLE: 'kafka_row_sender_outbox' }, /a table of the relay itself/],
  ['name of $', { SOURCE_TABLE: 'a$b' }, /a\$b cannot be the name of a source; set .*SOURCE_NAME too/],
];

for (const [name, settings, expected] of CONTRADICTIONS) {
  test(`contradiction: ${name}`, () => {
    const lines = refusal(() => load(settings));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, expected);
  });
}
