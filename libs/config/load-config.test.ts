/** Loading: defaults, types, precedence of places, secrets from files, and the refusal of everything at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RelayError } from '#runtime';
import { type LoadedConfig, type LoadOptions, loadConfig } from './load-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(content: string): string {
  files += 1;
  const path = join(folder, `file-${files}`);
  writeFileSync(path, content);
  return path;
}

const REQUIRED = { DB_USER: 'relay', DB_NAME: 'shop', SOURCE_TABLE: 'orders', KAFKA_TOPIC: 'orders' };
type Short = Readonly<Record<string, string>>;

function prefixed(settings: Short): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]));
}

function load(settings: Short, options: LoadOptions = {}): LoadedConfig {
  return loadConfig({ env: prefixed({ ...REQUIRED, ...settings }), ...options });
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

test('the required settings alone give the defaults of servers, source and tables', () => {
  const { config, warnings } = load({});
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.db, {
    host: 'localhost',
    port: 3306,
    socketPath: null,
    user: 'relay',
    password: '',
    passwordFile: null,
    database: 'shop',
    connectTimeoutMs: 10_000,
    readTimeoutMs: 30_000,
    ssl: null,
  });
  assert.deepEqual(config.sources, [
    {
      name: 'orders',
      table: 'orders',
      watermarkColumn: 'WatermarkId',
      columns: null,
      mode: 'append',
      event: null,
      topic: 'orders',
      topicColumn: null,
      keyColumn: null,
      lanes: 8,
      startFrom: 'earliest',
      gapMode: 'auto',
      gapGraceMs: null,
    },
  ]);
  assert.deepEqual(config.kafka, {
    bootstrapServers: ['localhost:9092'],
    clientId: 'kafka-row-sender',
    acks: -1,
    idempotence: true,
    compression: 'none',
    partitioner: 'java',
    ssl: null,
    sasl: null,
    transactionalIdPrefix: 'kafka-row-sender',
    transactionTimeoutMs: 40_000,
    markerName: 'kafka_row_sender_outbox',
    markerGroup: 'kafka-row-sender.kafka_row_sender_outbox',
    markerTopic: 'kafka-row-sender.markers',
  });
  assert.deepEqual(config.tables, {
    outbox: 'kafka_row_sender_outbox',
    watermark: 'kafka_row_sender_watermark',
    lane: 'kafka_row_sender_lane',
    member: 'kafka_row_sender_member',
    deadLetter: 'kafka_row_sender_dead_letter',
    topic: 'kafka_row_sender_topic',
    gap: 'kafka_row_sender_gap',
    sourceFacts: 'kafka_row_sender_source_facts',
  });
});

test('the required settings alone give the defaults of writer, sender and process', () => {
  const { config, origins } = load({});
  const batchBytesMax = 4 * 1024 * 1024;
  assert.deepEqual(config.writer, {
    batchRowsMax: 1000,
    batchBytesMax,
    pollIntervalMs: 1000,
    lockTtlMs: 10_000,
  });
  assert.deepEqual(config.sender, {
    batchRowsMax: 500,
    batchBytesMax,
    pollIntervalMs: 500,
    laneLeaseMs: 15_000,
    retryBackoff: { baseMs: 1000, maxMs: 60_000 },
    retriesMax: 100,
    rowFaultPolicy: 'dead-letter',
    oversize: 'dead-letter',
    deadLetterRetentionMs: null,
  });
  const none = { username: null, password: null };
  assert.deepEqual(config.redis, {
    url: null,
    prefix: 'kafka_row_sender',
    login: none,
    sentinelLogin: none,
    ssl: null,
  });
  assert.deepEqual(config.http, { host: '127.0.0.1', port: null });
  assert.deepEqual(
    [config.logLevel, config.shutdownTimeoutMs, config.instanceId, config.deliveryMode],
    ['info', 25_000, null, 'exactly-once'],
  );
  assert.equal(origins.DB_USER, 'environment');
  assert.equal(origins.DB_HOST, 'default');
});

test('the configuration is frozen to its depth', () => {
  const { config } = load({});
  assert.throws(() => Object.assign(config.sender.retryBackoff, { baseMs: 1 }), TypeError);
  assert.throws(() => (config.sources as unknown[]).push(null), TypeError);
  assert.equal(Object.isFrozen(config.kafka.bootstrapServers), true);
});

test('values are parsed by type', () => {
  const { config } = load({
    KAFKA_SENDER_POLL_INTERVAL: '0.025',
    SHUTDOWN_TIMEOUT: ' 7 ',
    KAFKA_BOOTSTRAP_SERVERS: 'a:1, b.example:9092',
    SOURCE_COLUMNS: 'id , name',
    START_FROM: '9223372036854775807',
    KAFKA_ACKS: 'ALL',
    KAFKA_ENABLE_IDEMPOTENCE: 'Yes',
    HTTP_PORT: '0',
    DB_HOST: '',
    SOURCE_GAP_GRACE: '2.5',
    KAFKA_COMPRESSION: 'gzip',
  });
  assert.equal(config.sender.pollIntervalMs, 25);
  assert.equal(config.shutdownTimeoutMs, 7000);
  assert.deepEqual(config.kafka.bootstrapServers, ['a:1', 'b.example:9092']);
  assert.deepEqual(config.sources[0]?.columns, ['id', 'name']);
  assert.equal(config.sources[0]?.startFrom, 9_223_372_036_854_775_807n);
  assert.equal(config.kafka.acks, -1);
  assert.equal(config.http.port, 0);
  assert.equal(config.db.host, 'localhost');
  assert.equal(config.kafka.compression, 'gzip');
});

test('a command that needs less asks for less', () => {
  assert.deepEqual(
    refusal(() => loadConfig({ env: {}, needs: ['database'] })).map((line) => line.split(':')[0]),
    ['KAFKA_ROW_SENDER_DB_USER', 'KAFKA_ROW_SENDER_DB_NAME'],
  );
  const { config } = loadConfig({ env: {}, needs: [], overrides: { WATERMARK_TABLE: 'my_watermark' } });
  assert.equal(config.tables.watermark, 'my_watermark');
  assert.deepEqual(config.sources, []);
});

test('a topic column does in place of a topic, and both together are a fallback', () => {
  const only = loadConfig({
    env: prefixed({ DB_USER: 'u', DB_NAME: 'd', SOURCE_TABLE: 't', KAFKA_TOPIC_COLUMN: 'c' }),
  });
  assert.deepEqual([only.config.sources[0]?.topic, only.config.sources[0]?.topicColumn], [null, 'c']);
  const both = load({ KAFKA_TOPIC_COLUMN: 'c' });
  assert.deepEqual([both.config.sources[0]?.topic, both.config.sources[0]?.topicColumn], ['orders', 'c']);
});

test('command line over environment over .env over YAML over default', () => {
  const configPath = file('lanes: 2\ndb_port: 2\nhttp_port: 2\nlog_level: warn\n');
  const envFile = file('KAFKA_ROW_SENDER_LANES=3\nKAFKA_ROW_SENDER_DB_PORT=3\nKAFKA_ROW_SENDER_HTTP_PORT=3\nOTHER=1\n');
  const loaded = load({ LANES: '4', DB_PORT: '4' }, { configPath, envFile, overrides: { LANES: '5' } });
  const { config, origins } = loaded;
  assert.deepEqual([config.sources[0]?.lanes, config.db.port, config.http.port, config.logLevel], [5, 4, 3, 'warn']);
  assert.deepEqual(
    [origins.LANES, origins.DB_PORT, origins.HTTP_PORT, origins.LOG_LEVEL, origins.DB_HOST],
    ['command line', 'environment', `file ${envFile}`, `file ${configPath}`, 'default'],
  );
  assert.equal(load({}, { envFile: join(folder, 'no-such-file') }).config.db.port, 3306);
  assert.match(refusal(() => load({}, { overrides: { OUTBOX_TABLE: 'a ' } }))[0]!, /^--outbox-table: /);
});

test('a secret comes from its file, without one newline at the end', () => {
  const { config, origins } = load({
    DB_PASSWORD_FILE: file(' s3cret\n\n'),
    REDIS_URL_FILE: file('redis://r:1/2\r\n'),
  });
  assert.equal(config.db.password, ' s3cret\n');
  assert.equal(config.redis.url, 'redis://r:1/2');
  assert.equal(origins.DB_PASSWORD, 'secret file');
});

test('a secret beside its file, an empty file, a directory and a missing file are refused', () => {
  const path = file('x');
  const both = refusal(() => load({ DB_PASSWORD: 'y', DB_PASSWORD_FILE: path }));
  assert.match(both.join(), /DB_PASSWORD_FILE: KAFKA_ROW_SENDER_DB_PASSWORD is set too; remove one/);
  assert.match(refusal(() => load({ DB_PASSWORD_FILE: file('\n') })).join(), /the file is empty/);
  assert.match(refusal(() => load({ DB_PASSWORD_FILE: folder })).join(), /a directory/);
  assert.match(refusal(() => load({ DB_PASSWORD_FILE: join(folder, 'none') })).join(), /ENOENT/);
  assert.equal(load({ DB_PASSWORD: '', DB_PASSWORD_FILE: path }).config.db.password, 'x');
  assert.equal(
    load({ DB_PASSWORD: 'env' }, { configPath: file(`db_password_file: ${path}\n`) }).config.db.password,
    'env',
  );
});

const WEAKER: readonly (readonly [Short, -1 | 0 | 1, boolean])[] = [
  [{ KAFKA_ACKS: '1' }, 1, false],
  [{ KAFKA_ACKS: '0' }, 0, false],
  [{ KAFKA_ENABLE_IDEMPOTENCE: 'false' }, -1, false],
  [{ KAFKA_ENABLE_IDEMPOTENCE: 'no', KAFKA_ACKS: '1' }, 1, false],
];

for (const [settings, acks, idempotence] of WEAKER) {
  test(`at-least-once, with a warning: ${JSON.stringify(settings)}`, () => {
    const { config, warnings } = load(settings);
    assert.equal(config.deliveryMode, 'at-least-once');
    assert.deepEqual([config.kafka.acks, config.kafka.idempotence], [acks, idempotence]);
    assert.match(warnings.join(), /at-least-once/);
  });
}
