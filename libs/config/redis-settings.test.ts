/** Addresses, logins and certificates of Redis. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseRedisAddress, RelayError, showRedisAddress } from '#runtime';
import { describeConfig } from './describe-config.ts';
import { loadConfig } from './load-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-config-redis-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const KEY = '-----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY-----\n';

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function load(settings: Readonly<Record<string, string>>) {
  const env = Object.entries(settings).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]);
  return loadConfig({ env: Object.fromEntries(env), needs: [] });
}

const nothing = { tls: false, username: null, password: null };
const ADDRESSES = [
  ['redis://r', { kind: 'server', ...nothing, nodes: [{ host: 'r', port: 6379 }], db: 0 }],
  [
    'rediss://u:p%40ss:word@[::1]:7/3',
    { kind: 'server', tls: true, username: 'u', password: 'p@ss:word', nodes: [{ host: '::1', port: 7 }], db: 3 },
  ],
  [
    'redis-cluster://:pw@a:1,b:2, c',
    {
      kind: 'cluster',
      ...nothing,
      password: 'pw',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: 'c', port: 6379 },
      ],
    },
  ],
  [
    'rediss-sentinel://s1,s2:5/mymaster/2',
    {
      kind: 'sentinel',
      ...nothing,
      tls: true,
      nodes: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 5 },
      ],
      name: 'mymaster',
      db: 2,
    },
  ],
] as const;

for (const [raw, address] of ADDRESSES) {
  test(`read: ${raw}`, () => {
    assert.deepEqual(parseRedisAddress(raw), { address });
    assert.equal(load({ REDIS_URL: raw }).config.redis.url, raw);
    assert.doesNotMatch(showRedisAddress(raw), /pw|word/);
  });
}

const REFUSED = [
  ['redis://a:1,b:2', /names several hosts.*redis-cluster/],
  ['redis-cluster://a:1/4', /only the database 0/],
  ['redis-sentinel://a:1', /know the primary by a name/],
  ['redis://r/zero', /number of the database/],
  ['redis://r:99999', /host and port cannot be read/],
  ['redis://', /host and port cannot be read/],
  ['redis://r?password=secret', /leave out what follows/],
  ['http://r', /give redis:\/\/host:port/],
] as const;

for (const [raw, says] of REFUSED) {
  test(`refused in one line, without a secret: ${raw}`, () => {
    assert.throws(
      () => load({ REDIS_URL: raw }),
      (error) => error instanceof RelayError && says.test(error.message) && !error.message.includes('secret'),
    );
  });
}

test('login and certificates have settings of their own, and a key may come from its file', () => {
  const ca = file('ca.pem', CERTIFICATE);
  const key = file('key.pem', KEY);
  const loaded = load({
    REDIS_URL: 'rediss-sentinel://nobody@s/m',
    REDIS_USERNAME: 'relay',
    REDIS_PASSWORD_FILE: file('pw', 'geheim\n'),
    REDIS_SENTINEL_PASSWORD: 'watch',
    REDIS_SSL_CA: ca,
    REDIS_SSL_CERT: CERTIFICATE,
    REDIS_SSL_KEY_FILE: key,
  });
  const { login, sentinelLogin, ssl } = loaded.config.redis;
  assert.deepEqual(login, { username: 'relay', password: 'geheim' });
  assert.deepEqual(sentinelLogin, { username: null, password: 'watch' });
  assert.equal(ssl?.verify, true);
  assert.equal(ssl?.ca, CERTIFICATE);
  assert.deepEqual(ssl?.files, { ca, cert: null, key });
  assert.doesNotMatch(JSON.stringify(describeConfig(loaded)), /geheim|watch|TOPSECRET/);
});

const HALVES = [
  [{ REDIS_URL: 'redis://r', REDIS_SSL_CA: 'x' }, /REDIS_SSL_CA: has no effect without .*rediss/],
  [{ REDIS_PASSWORD: 'x' }, /REDIS_PASSWORD: has no effect without .*REDIS_URL/],
  [{ REDIS_URL: 'redis://r', REDIS_SENTINEL_PASSWORD: 'x' }, /has no effect without .*redis-sentinel/],
  [{ REDIS_URL: 'redis://r', REDIS_USERNAME: 'x' }, /REDIS_USERNAME: needs .*REDIS_PASSWORD too/],
  [{ REDIS_URL: 'rediss://r', REDIS_SSL_CERT: CERTIFICATE }, /needs .*REDIS_SSL_KEY too/],
] as const;

for (const [settings, says] of HALVES) {
  test(`half of what it takes is refused: ${Object.keys(settings)}`, () => {
    assert.throws(
      () => load(settings),
      (error) => error instanceof RelayError && says.test(error.message),
    );
  });
}
