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
