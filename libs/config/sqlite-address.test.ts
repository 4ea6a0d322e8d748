/** The setting DB: an SQLite file instead of a server, and sources given by a program. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from './load-config.ts';

const env = (settings: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]));
const SOURCE = { SOURCE_TABLE: 't', KAFKA_TOPIC: 'x' };

test('an SQLite file needs neither user nor name of a database, and says what it does not use', () => {
  const { config, warnings } = loadConfig({ env: env({ ...SOURCE, DB: 'sqlite:./my app.db', DB_HOST: 'h' }) });
  assert.deepEqual(config.sqlite, { path: './my app.db' });
  assert.deepEqual(warnings, ['KAFKA_ROW_SENDER_DB is an SQLite file: KAFKA_ROW_SENDER_DB_HOST is not used']);
  const overridden = loadConfig({ env: env({ ...SOURCE, DB: 'sqlite:a' }), overrides: { DB: 'sqlite:b' } });
  assert.deepEqual(overridden.config.sqlite, { path: 'b' });
  const server = loadConfig({ env: env({ ...SOURCE, DB_USER: 'u', DB_NAME: 'd' }) });
  assert.equal(server.config.sqlite, null);
});

test('another address is refused in one line', () => {
  for (const address of ['sqlite:', 'app.db', 'mysql://h/d']) {
    assert.throws(() => loadConfig({ env: env({ ...SOURCE }), overrides: { DB: address } }), {
      code: 'CONFIG_INVALID',
      message: /--db: .* is not allowed; give sqlite:PATH/,
    });
  }
});

test('sources of a program are checked like those of the YAML file', () => {
  const base = { env: env({ DB: 'sqlite:a' }) };
  const { config } = loadConfig({
    ...base,
    sources: [
      { table: 'a', topic: 'x' },
      { table: 'b', mode: 'consume' },
    ],
  });
  assert.deepEqual(
    config.sources.map(({ name, mode }) => [name, mode]),
    [
      ['a', 'append'],
      ['b', 'consume'],
    ],
  );
  assert.throws(() => loadConfig({ ...base, sources: [{ table: 'a', topik: 'x' }] }), {
    code: 'CONFIG_INVALID',
    message: /sources\[0\]\.topik \(options\): unknown field; did you mean topic\?/,
  });
});

test('tables and columns may have any name that SQLite, or the server, takes', () => {
  const names = {
    SOURCE_NAME: 's',
    SOURCE_TABLE: 'a.b "c" größe',
    SOURCE_WATERMARK_COLUMN: 'order by',
    SOURCE_COLUMNS: 'order by, größe ,a=b',
    KAFKA_TOPIC_COLUMN: "it's",
    KAFKA_KEY_COLUMN: 'k, l',
    SOURCE_EVENT_COLUMNS: 'payload=a=b,id=größe',
    SOURCE_EVENT_HEADERS: 'a:b:c,my type,ö:h',
    SOURCE_MODE: 'consume',
  };
  const { config } = loadConfig({ env: env({ ...SOURCE, ...names, SOURCE_COLUMNS: '', DB: 'sqlite:a' }) });
  const [source] = config.sources;
  const { table, watermarkColumn, keyColumn, event } = source ?? {};
  assert.deepEqual([table, watermarkColumn, keyColumn], ['a.b "c" größe', 'order by', 'k, l']);
  assert.deepEqual([event?.payloadColumn, event?.idColumn, event?.topicColumn.column], ['a=b', 'größe', "it's"]);
  assert.deepEqual(event?.headerColumns, [
    { column: 'a:b', header: 'c' },
    { column: 'my type', header: 'my type' },
    { column: 'ö', header: 'h' },
  ]);
  const appended = loadConfig({ env: env({ ...SOURCE, ...names, SOURCE_MODE: 'append', DB: 'sqlite:a' }) });
  assert.deepEqual(appended.config.sources[0]?.columns, ['order by', 'größe', 'a=b']);
  const server = { ...SOURCE, DB_USER: 'u', DB_NAME: 'my-shop. ?`"' };
  const onServer = loadConfig({ env: env({ ...server, ...names, SOURCE_COLUMNS: '' }) }).config;
  assert.deepEqual([onServer.sources, onServer.db.database], [config.sources, server.DB_NAME]);
  const long = 'x'.repeat(65);
  for (const [name, raw] of Object.entries({
    SOURCE_TABLE: long,
    SOURCE_WATERMARK_COLUMN: long,
    SOURCE_COLUMNS: `a,${long}`,
    KAFKA_TOPIC_COLUMN: 'a ',
    KAFKA_KEY_COLUMN: '\u{1f600}',
    SOURCE_EVENT_COLUMNS: `payload=${long}`,
    SOURCE_EVENT_HEADERS: `a,${long}:h`,
  })) {
    const load = () => loadConfig({ env: env({ ...server, [name]: raw }) });
    assert.throws(load, {
      code: 'CONFIG_INVALID',
      message: new RegExp(`^configuration refused: KAFKA_ROW_SENDER_${name}: .*; give [^\n]*$`),
    });
    loadConfig({ env: env({ ...SOURCE, SOURCE_NAME: 's', DB: 'sqlite:a', [name]: raw }) });
  }
  assert.throws(
    () => loadConfig({ env: env({ ...SOURCE, DB: 'sqlite:a', SOURCE_TABLE: 'kafka_row_sender_watermark_file' }) }),
    {
      message: /a table of the relay itself/,
    },
  );
});

test('a column with a comma, or a colon that begins no header, stands in backticks', () => {
  const columns = { SOURCE_COLUMNS: '`a,b`, c`d,`e``f`,`', KAFKA_KEY_COLUMN: '`a`' };
  const [source] = loadConfig({ env: env({ ...SOURCE, ...columns, DB_USER: 'u', DB_NAME: 'd' }) }).config.sources;
  assert.deepEqual(source?.columns, ['a,b', 'c`d', 'e`f', '`']);
  assert.equal(source?.keyColumn, '`a`', 'one name alone is taken as it is');
  const event = {
    SOURCE_MODE: 'consume',
    SOURCE_EVENT_COLUMNS: 'payload=`a,b`,id=`x``y`',
    SOURCE_EVENT_HEADERS: '`a,b:c`,`d:e`:f',
  };
  const [consumed] = loadConfig({ env: env({ ...SOURCE, ...event, DB_USER: 'u', DB_NAME: 'd' }) }).config.sources;
  assert.deepEqual([consumed?.event?.payloadColumn, consumed?.event?.idColumn], ['a,b', 'x`y']);
  assert.deepEqual(consumed?.event?.headerColumns, [
    { column: 'a,b:c', header: 'a,b:c' },
    { column: 'd:e', header: 'f' },
  ]);
});

test("the outbox table's name in the marker group is never taken for another's", () => {
  const groupOf = (table: string) =>
    loadConfig({ env: env({ ...SOURCE, DB_USER: 'u', DB_NAME: 'd', OUTBOX_TABLE: table }) }).config.kafka.markerGroup;
  assert.equal(groupOf('out$box-1'), 'kafka-row-sender.out$box-1');
  assert.equal(groupOf('a.retry'), 'kafka-row-sender.a%2Eretry');
  assert.equal(groupOf('größe %'), 'kafka-row-sender.gr%C3%B6%C3%9Fe%20%25');
});
