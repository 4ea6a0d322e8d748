/** The YAML file: types, unknown names, and the list of sources with what contradicts it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RelayError } from '#runtime';
import { describeConfig } from './describe-config.ts';
import { YAML_EXAMPLE } from './document-settings.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-config-yaml-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'relay.yaml');

function load(yaml: string, env: Readonly<Record<string, string>> = {}): LoadedConfig {
  writeFileSync(path, yaml);
  const named = Object.fromEntries(Object.entries(env).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]));
  return loadConfig({ env: { KAFKA_ROW_SENDER_CONFIG: path, ...named } });
}

function refusal(yaml: string, env: Readonly<Record<string, string>> = {}): string {
  try {
    load(yaml, env);
  } catch (error) {
    assert.ok(error instanceof RelayError);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.message;
  }
  return assert.fail('nothing was refused');
}

const HEAD = 'db_user: u\ndb_name: d\n';

test('a list of sources, each with its own fields; the rest is as in the settings', () => {
  const { config, origins } = load(`${HEAD}lanes: 4
kafka_topic: common
source_gap_mode: time
sources:
  - table: orders
    columns: [id, name]
    start_from: 9007199254740993
    gap_grace: 0.5
  - name: second
    table: orders
    mode: consume
    topic: own
    topic_column: topic
    key_column: k
    watermark_column: seq
    lanes: 1000
    gap_mode: locks
`);
  const [first, second] = config.sources;
  assert.deepEqual(first, {
    name: 'orders',
    table: 'orders',
    watermarkColumn: 'WatermarkId',
    columns: ['id', 'name'],
    mode: 'append',
    event: null,
    topic: 'common',
    topicColumn: null,
    keyColumn: null,
    lanes: 4,
    startFrom: 9_007_199_254_740_993n,
    gapMode: 'time',
    gapGraceMs: 500,
  });
  assert.deepEqual(second, {
    name: 'second',
    table: 'orders',
    watermarkColumn: 'seq',
    columns: null,
    mode: 'consume',
    event: second?.event,
    topic: 'own',
    topicColumn: 'topic',
    keyColumn: 'k',
    lanes: 1000,
    startFrom: 'earliest',
    gapMode: 'locks',
    gapGraceMs: null,
  });
  assert.equal(origins.LANES, `file ${path}`);
});

test('the entries of the list are described too', () => {
  const rows = describeConfig(load(`${HEAD}sources: [{table: t, topic: x, lanes: 3}]\n`));
  assert.deepEqual(
    rows.filter(({ name }) => name.startsWith('sources')),
    [
      { name: 'sources[0].table', value: 't', origin: `file ${path}` },
      { name: 'sources[0].topic', value: 'x', origin: `file ${path}` },
      { name: 'sources[0].lanes', value: '3', origin: `file ${path}` },
    ],
  );
});

test('mode consume has the names of the event router, and takes others', () => {
  const [usual, own] = load(`${HEAD}sources:
  - {table: a, mode: consume}
  - table: b
    mode: consume
    watermark_column: WatermarkId
    key_column: k
    topic_column: where_to
    event_columns: [payload=body, tracing=trace]
    event_headers: [type:eventType, version]
    event_topic_prefix: app.
    archive_table: old
`).config.sources;
  assert.equal(usual?.watermarkColumn, 'seq');
  assert.equal(usual?.keyColumn, 'aggregateid');
  assert.equal(usual?.topic, null);
  assert.deepEqual(usual?.event, {
    idColumn: 'id',
    routeColumn: 'aggregatetype',
    payloadColumn: 'payload',
    tracingColumn: { column: 'tracingspancontext', required: false },
    headersColumn: { column: 'headers', required: false },
    recordKeyColumn: { column: 'recordkey', required: false },
    topicColumn: { column: 'topic', required: false },
    headerColumns: [],
    topicPrefix: 'outbox.event.',
    archive: null,
  });
  assert.equal(own?.watermarkColumn, 'WatermarkId');
  assert.equal(own?.keyColumn, 'k');
  assert.deepEqual(own?.event, {
    ...usual?.event,
    payloadColumn: 'body',
    tracingColumn: { column: 'trace', required: true },
    topicColumn: { column: 'where_to', required: true },
    headerColumns: [
      { column: 'type', header: 'eventType' },
      { column: 'version', header: 'version' },
    ],
    topicPrefix: 'app.',
    archive: { table: 'old', retentionMs: 604_800_000 },
  });
});

test('an empty file and one without a list leave the environment its one source', () => {
  const env = { DB_USER: 'u', DB_NAME: 'd', SOURCE_TABLE: 't', KAFKA_TOPIC: 'x' };
  assert.equal(load('', env).config.sources[0]?.name, 't');
  assert.equal(load('# nothing\nsources:\n', env).config.sources[0]?.name, 't');
  assert.equal(load('source_table: t\nkafka_topic: x\ndb_user: u\ndb_name: d\n').config.sources[0]?.name, 't');
});

test('the example of the documents loads, but for its secret file', () => {
  const message = refusal(YAML_EXAMPLE);
  assert.match(message, /^configuration refused: db_password_file \(.*\): the file cannot be read \(ENOENT\)/);
  assert.equal(load(YAML_EXAMPLE.replace(/^db_password_file.*$/m, '')).config.sources.length, 2);
});

const ONE = 'sources: [{table: t, topic: x}]\n';
const CASES: readonly (readonly [string, string, RegExp, Readonly<Record<string, string>>?])[] = [
  ['unknown name', `${HEAD}${ONE}db_hots: x\n`, /db_hots \(.*\): unknown setting; did you mean db_host\?/],
  ['name in upper case', `${HEAD}${ONE}DB_HOST: x\n`, /DB_HOST \(.*\): .* written like db_host/],
  ['name with the prefix', `${HEAD}${ONE}KAFKA_ROW_SENDER_DB_HOST: x\n`, /written like db_host/],
  ['a file that names a file', `${HEAD}${ONE}config: x\n`, /config \(.*\): unknown setting/],
  ['number for text', `${HEAD}${ONE}db_password: 0123\n`, /db_password .*wrong type; give secret text, in quotes/],
  ['text for number', `${HEAD}${ONE}db_port: many\n`, /db_port .*"many" is not allowed; give an integer/],
  ['boolean for number', `${HEAD}${ONE}db_port: true\n`, /db_port .*wrong type; give an integer/],
  ['map for text', `${HEAD}${ONE}db_host: {a: 1}\n`, /db_host .*wrong type/],
  ['list for text', `${HEAD}${ONE}db_host: [a]\n`, /db_host .*wrong type/],
  ['wrong type is not missing', `db_user: 5\ndb_name: d\n${ONE}`, /^configuration refused: db_user .*wrong type/],
  ['no map', '- a\n', /not a list of settings/],
  ['broken', 'a: [1\n', /not valid YAML at line \d+, column \d+ \([A-Z_]+\)/],
  ['key twice', `${HEAD}${ONE}lanes: 1\nlanes: 2\n`, /not valid YAML at line 5.*DUPLICATE_KEY/],
  ['alias of nothing', `${HEAD}${ONE}db_host: *x\n`, /not valid YAML/],
  ['sources no list', `${HEAD}sources: t\n`, /sources .*not a list/],
  ['sources empty', `${HEAD}sources: []\n`, /sources .*not a list/],
  ['source no map', `${HEAD}sources: [t]\n`, /sources\[0\] .*not a source/],
  ['source without table', `${HEAD}sources: [{topic: x}]\n`, /sources\[0\]\.table .*required/],
  ['source without topic', `${HEAD}sources: [{table: t}]\n`, /sources\[0\] .*has no topic/],
  ['unknown field', `${HEAD}sources: [{table: t, topic: x, lane: 2}]\n`, /sources\[0\]\.lane .*mean lanes\?/],
  ['bad field', `${HEAD}sources: [{table: "a ", topic: x}]\n`, /sources\[0\]\.table .*"a " is not allowed/],
  [
    'consume from latest',
    `${HEAD}sources: [{table: t, mode: consume, start_from: latest}]\n`,
    /START_FROM at earliest/,
  ],
  ['consume with columns', `${HEAD}sources: [{table: t, mode: consume, columns: [a]}]\n`, /leave out SOURCE_COLUMNS/],
  [
    'archive into itself',
    `${HEAD}sources: [{table: t, mode: consume, archive_table: T}]\n`,
    /archives to T, a table with another use/,
  ],
  [
    'unknown role',
    `${HEAD}sources: [{table: t, mode: consume, event_columns: [body=b]}]\n`,
    /event_columns .*give pairs of role/,
  ],
  ['same name', `${HEAD}sources: [{table: t, topic: x}, {table: T, topic: y}]\n`, /sources\[1\] .*has the name T like/],
  ['lanes', `${HEAD}sources: [{table: t, topic: x, lanes: 1000}, {table: u, topic: x, lanes: 25}]\n`, /1025 lanes/],
  ['own table', `${HEAD}sources: [{table: kafka_row_sender_lane, topic: x}]\n`, /table of the relay itself/],
  ['environment too', HEAD + ONE, /SOURCE_TABLE: contradicts the list of sources/, { SOURCE_TABLE: 'u' }],
  ['flat too', `${HEAD}${ONE}source_columns: a\n`, /source_columns .*contradicts the list of sources/],
  [
    'gap mode twice',
    `${HEAD}sources: [{table: t, topic: x, gap_mode: time}]\n`,
    /SOURCE_GAP_MODE: contradicts sources\[0\]\.gap_mode/,
    { SOURCE_GAP_MODE: 'locks' },
  ],
];

for (const [name, yaml, expected, env] of CASES) {
  test(`YAML refused: ${name}`, () => {
    const message = refusal(yaml, env);
    assert.match(message, expected);
    if (name !== 'source without table') assert.ok(!message.includes('\n'), message);
  });
}

test('a missing file is refused by name', () => {
  const env = { KAFKA_ROW_SENDER_CONFIG: join(folder, 'none.yaml') };
  assert.throws(() => loadConfig({ env, needs: [] }), /none\.yaml: the file cannot be read \(ENOENT\)/);
});
