/** Encryption and login, and that no secret gets out through descriptions, warnings or refusals. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RelayError } from '#runtime';
import { describeConfig } from './describe-config.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { maskUrl } from './mask-value.ts';
import { SETTING_NAMES, settingOf } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-config-security-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

type Short = Readonly<Record<string, string>>;
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const KEY = '-----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY-----\n';

function load(settings: Short, configPath: string | null = null): LoadedConfig {
  const env = Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]);
  return loadConfig({ env: Object.fromEntries(env), needs: [], configPath });
}

function refusal(settings: Short, configPath: string | null = null): string {
  try {
    load(settings, configPath);
  } catch (error) {
    assert.ok(error instanceof RelayError);
    return error.message;
  }
  return assert.fail('nothing was refused');
}

test('certificates come as a path, as PEM text, or from a secret file', () => {
  const ca = file('ca.pem', CERTIFICATE);
  const key = file('key.pem', KEY);
  const { config, warnings } = load({
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA: ca,
    KAFKA_SSL_CERT: CERTIFICATE,
    KAFKA_SSL_KEY_FILE: key,
    DB_SSL: '1',
    DB_SSL_CERT: ca,
    DB_SSL_KEY: key,
    DB_SSL_VERIFY: 'false',
  });
  const pem = { cert: CERTIFICATE, key: KEY, passphrase: null };
  const files = { ca: null, cert: null, key, passphrase: null };
  assert.deepEqual(config.kafka.ssl, {
    ...{ ...pem, ca: CERTIFICATE, key: KEY.trimEnd(), verify: true },
    files: { ...files, ca },
  });
  assert.deepEqual(config.db.ssl, { ca: null, ...pem, verify: false, files: { ...files, cert: ca } });
  assert.match(warnings.join(), /DB_SSL_VERIFY is false/);
  const none = { ca: null, cert: null, key: null, passphrase: null };
  assert.deepEqual(load({ DB_SSL: 'yes' }).config.db.ssl, { ...none, verify: true, files: none });
});

test('SASL: a password login, a token command, a token URL', () => {
  const login = { KAFKA_SSL: 'true', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    const { config, warnings } = load({ ...login, KAFKA_SASL_MECHANISM: mechanism.toLowerCase() });
    assert.deepEqual(config.kafka.sasl, { mechanism, username: 'u', password: 'p', passwordFile: null });
    assert.deepEqual(warnings, []);
  }
  const oauth = { KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'OAUTHBEARER' };
  assert.deepEqual(load({ ...oauth, KAFKA_SASL_OAUTH_TOKEN_COMMAND: 'get-token --now' }).config.kafka.sasl, {
    mechanism: 'OAUTHBEARER',
    token: { kind: 'command', command: ['get-token', '--now'] },
    extensions: {},
  });
  const secret = file('secret', 'shh\n');
  const url = {
    ...oauth,
    KAFKA_SASL_OAUTH_TOKEN_URL: 'http://id.example/token',
    KAFKA_SASL_OAUTH_CLIENT_ID: 'me',
    KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE: secret,
    KAFKA_SASL_OAUTH_EXTENSIONS: 'logicalCluster=lkc-1, identityPoolId=pool=1',
  };
  const loaded = load(url);
  assert.deepEqual(loaded.config.kafka.sasl, {
    mechanism: 'OAUTHBEARER',
    token: {
      ...{ kind: 'url', url: 'http://id.example/token', clientId: 'me', clientSecret: 'shh', scope: null },
      clientSecretFile: secret,
    },
    extensions: { logicalCluster: 'lkc-1', identityPoolId: 'pool=1' },
  });
  assert.match(loaded.warnings.join(), /not https/);
});

test('SASL without SSL is allowed, with a warning', () => {
  const { config, warnings } = load({
    KAFKA_SASL_MECHANISM: 'PLAIN',
    KAFKA_SASL_USERNAME: 'u',
    KAFKA_SASL_PASSWORD: 'p',
  });
  assert.equal(config.kafka.sasl?.mechanism, 'PLAIN');
  assert.match(warnings.join(), /in the clear/);
});

const PLAIN = { KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'PLAIN' };
const OAUTH = { KAFKA_SSL: 'true', KAFKA_SASL_MECHANISM: 'OAUTHBEARER' };
const CASES: readonly (readonly [string, Short, RegExp])[] = [
  ['certificate without SSL', { KAFKA_SSL_CA: CERTIFICATE }, /KAFKA_SSL_CA: has no effect without .*KAFKA_SSL=true/],
  ['key without certificate', { DB_SSL: 'true', DB_SSL_KEY: KEY }, /DB_SSL_KEY: needs .*DB_SSL_CERT too/],
  ['certificate without key', { DB_SSL: 'true', DB_SSL_CERT: CERTIFICATE }, /DB_SSL_CERT: needs .*DB_SSL_KEY too/],
  ['file away', { DB_SSL: 'true', DB_SSL_CA: '/no/such' }, /DB_SSL_CA: the file cannot be read \(ENOENT\)/],
  ['no PEM', { DB_SSL: 'true', DB_SSL_CA: KEY }, /DB_SSL_CA: holds no PEM block of a certificate/],
  ['password alone', { ...PLAIN, KAFKA_SASL_PASSWORD: 'p' }, /KAFKA_SASL_USERNAME: required with PLAIN/],
  ['user alone', { ...PLAIN, KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_PASSWORD: required with PLAIN/],
  ['user without mechanism', { KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_USERNAME: needs .*KAFKA_SASL_MECHANISM/],
  ['no token', OAUTH, /OAUTHBEARER needs one of/],
  [
    'two tokens',
    { ...OAUTH, KAFKA_SASL_OAUTH_TOKEN_COMMAND: 'x', KAFKA_SASL_OAUTH_TOKEN_URL: 'https://x/' },
    /OAUTHBEARER needs one of/,
  ],
  [
    'no client secret',
    { ...OAUTH, KAFKA_SASL_OAUTH_TOKEN_URL: 'https://x/', KAFKA_SASL_OAUTH_CLIENT_ID: 'i' },
    /KAFKA_SASL_OAUTH_CLIENT_SECRET: required with a token URL/,
  ],
  [
    'password with a token',
    { ...OAUTH, KAFKA_SASL_OAUTH_TOKEN_COMMAND: 'x', KAFKA_SASL_PASSWORD: 'p' },
    /KAFKA_SASL_PASSWORD: has no place with OAUTHBEARER/,
  ],
];

for (const [name, settings, expected] of CASES) {
  test(`refused: ${name}`, () => {
    const message = refusal(settings);
    assert.match(message, expected);
    assert.ok(!message.includes('\n'), message);
  });
}

const SECRET = 'hunter2TOPSECRET';
const SECRETS: Short = {
  DB_PASSWORD: SECRET,
  REDIS_URL: `redis://user:${SECRET}@redis.example:6380/1`,
  DB_SSL: 'true',
  DB_SSL_CERT: CERTIFICATE,
  DB_SSL_KEY: KEY.replace('TOPSECRET', SECRET),
  KAFKA_SSL: 'true',
  KAFKA_SSL_CERT: CERTIFICATE,
  KAFKA_SSL_KEY: KEY.replace('TOPSECRET', SECRET),
};
const LOGINS: readonly Short[] = [
  { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: SECRET },
  { KAFKA_SASL_MECHANISM: 'OAUTHBEARER', KAFKA_SASL_OAUTH_TOKEN_COMMAND: `get-token --secret ${SECRET}` },
  {
    KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
    KAFKA_SASL_OAUTH_TOKEN_URL: `http://u:${SECRET}@id.example/t?key=${SECRET}`,
    KAFKA_SASL_OAUTH_CLIENT_ID: 'i',
    KAFKA_SASL_OAUTH_CLIENT_SECRET: SECRET,
  },
];

for (const login of LOGINS) {
  test(`no secret is described or warned about: ${Object.keys(login).at(-1)}`, () => {
    const loaded = load({ ...SECRETS, ...login });
    const rows = describeConfig(loaded);
    assert.ok(JSON.stringify(loaded.config, (_, value) => value, 1).includes(SECRET), 'the oracle can see secrets');
    assert.ok(!JSON.stringify([rows, loaded.warnings, loaded.origins]).includes(SECRET));
    const shown = new Map(rows.map(({ name, value }) => [name, value]));
    assert.equal(shown.get('KAFKA_ROW_SENDER_DB_PASSWORD'), '***');
    assert.equal(shown.get('KAFKA_ROW_SENDER_REDIS_URL'), 'redis://***@redis.example:6380/1');
    assert.equal(shown.get('KAFKA_ROW_SENDER_DB_SSL_CERT'), '(PEM text)');
  });
}

test('no secret is in a refusal, whatever setting it was put into by mistake', () => {
  for (const name of SETTING_NAMES.filter((one) => settingOf(one).mask !== 'none')) {
    const wrong = { [name]: `\u0001 ${SECRET}`, DB_SSL: 'true', KAFKA_SSL: 'true', LANES: 'x' };
    assert.ok(!refusal(wrong).includes(SECRET), name);
    if (settingOf(name).secret) assert.ok(!refusal({ [`${name}_FILE`]: SECRET }).includes(SECRET), name);
  }
  const asUrl = refusal({ KAFKA_BOOTSTRAP_SERVERS: `user:${SECRET}@kafka:9092`, DB_NAME: `mysql://u:${SECRET}@h/d` });
  assert.ok(!asUrl.includes(SECRET), asUrl);
  assert.ok(!refusal({ DB_PASWORD: SECRET }).includes(SECRET));
});

test('no secret is in the refusal of a broken YAML file', () => {
  const broken = [
    `db_password: "${SECRET}\nlanes: 1\n`,
    `db_password: ${SECRET}: x\n`,
    `db_password: [${SECRET}\n`,
    `db_password: *${SECRET}\n`,
    `db_password: {a: ${SECRET}}\n`,
    `db_pasword: ${SECRET}\n`,
  ];
  for (const [index, yaml] of broken.entries()) {
    const message = refusal({}, file(`broken-${index}.yaml`, yaml));
    assert.ok(!message.includes(SECRET), message);
  }
});

test('URLs are shown without credentials and query', () => {
  assert.equal(maskUrl('rediss://:p@h:1/0'), 'rediss://***@h:1/0');
  assert.equal(maskUrl('redis://h:1/0'), 'redis://h:1/0');
  assert.equal(maskUrl('no url p'), '***');
});
