/** The documents are complete, and what they show as defaults loads as it stands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEnv } from 'node:util';
import { describeConfig } from './describe-config.ts';
import { envExample, settingsHelp, settingsTable } from './document-settings.ts';
import { loadConfig } from './load-config.ts';
import { envName, SETTING_NAMES, settingOf } from './settings.ts';

const SECRETS = SETTING_NAMES.filter((name) => settingOf(name).secret);

test('each setting is in the table, in the help and in the example, each secret with its file', () => {
  const table = settingsTable();
  const help = settingsHelp();
  const example = envExample();
  for (const name of SETTING_NAMES) {
    assert.equal(table.split(`| \`${envName(name)}\` | `).length, 2, `${name} in the table once`);
    assert.equal(help.split(`  ${envName(name)}\n`).length, 2, `${name} in the help once`);
    assert.equal(example.split(new RegExp(`^#?${envName(name)}=`, 'm')).length, 2, `${name} in the example once`);
  }
  for (const name of SECRETS) assert.ok(example.includes(`#${envName(name)}_FILE=`), name);
  assert.deepEqual([...SECRETS].sort(), [
    'DB_PASSWORD',
    'DB_SSL_KEY',
    'DB_SSL_KEY_PASSWORD',
    'KAFKA_SASL_OAUTH_CLIENT_SECRET',
    'KAFKA_SASL_PASSWORD',
    'KAFKA_SSL_KEY',
    'KAFKA_SSL_KEY_PASSWORD',
    'NOTIFY_WEBHOOK_URL',
    'REDIS_PASSWORD',
    'REDIS_SENTINEL_PASSWORD',
    'REDIS_SSL_KEY',
    'REDIS_URL',
  ]);
});

test('the example loads once it is filled in, and all its commented defaults are the defaults', () => {
  const uncommented = parseEnv(envExample().replace(/^#(?=KAFKA_ROW_SENDER_)/gm, ''));
  const filled: Record<string, string | undefined> = { ...uncommented };
  for (const name of ['DB_USER', 'DB_NAME', 'SOURCE_TABLE', 'KAFKA_TOPIC'] as const) {
    assert.equal(filled[envName(name)], '');
    filled[envName(name)] = 'x';
  }
  const bare = Object.fromEntries(Object.entries(filled).filter(([, raw]) => raw === 'x'));
  assert.deepEqual(loadConfig({ env: filled }).config, loadConfig({ env: bare }).config);
});

test('the description names every setting, in the order of the table', () => {
  const rows = describeConfig(loadConfig({ env: { KAFKA_ROW_SENDER_KAFKA_ACKS: '1' }, needs: [] }));
  assert.deepEqual(
    rows.map(({ name }) => name),
    SETTING_NAMES.map(envName),
  );
  const shown = new Map(rows.map((row) => [row.name, row]));
  assert.deepEqual(shown.get('KAFKA_ROW_SENDER_KAFKA_ACKS'), {
    name: 'KAFKA_ROW_SENDER_KAFKA_ACKS',
    value: '1',
    origin: 'environment',
  });
  assert.equal(shown.get('KAFKA_ROW_SENDER_KAFKA_ENABLE_IDEMPOTENCE')?.value, 'false');
  assert.equal(shown.get('KAFKA_ROW_SENDER_DB_USER')?.value, '(none)');
});
