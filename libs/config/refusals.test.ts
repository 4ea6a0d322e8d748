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
