/**
 * How a session is opened on a real server: whose certificate is believed, what is read anew for each connection, IPv6, and that each
 * refusal says its cause and the setting. The server's certificate is changed under it (FLUSH SSL).
 */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { copyFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { RelayError } from '#runtime';
import { CertificateFolder, freePort, type MariadbServer, startMariadb } from '#testkit';
import { type DatabaseOptions, type DatabaseSslOptions, openSession, type Session } from './index.ts';

const CONNECT_TIMEOUT_MS = 10_000;

let certificates: CertificateFolder;
let server: MariadbServer;
let ca: string;
let strangersCa: string;

async function serve(name: string): Promise<void> {
  await copyFile(certificates.path(`${name}.crt`), certificates.path('served.crt'));
  await copyFile(certificates.path(`${name}.key`), certificates.path('served.key'));
  if (server !== undefined) await administer('FLUSH SSL');
}

const options = (host = '127.0.0.1', more: Partial<DatabaseSslOptions> = {}): DatabaseOptions => ({
  host,
  port: server.port,
  user: server.user,
  password: server.password,
  database: null,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  readTimeoutMs: CONNECT_TIMEOUT_MS,
  ssl: { ca, cert: null, key: null, verify: true, ...more },
});

const plain = (more: Partial<DatabaseOptions> = {}): DatabaseOptions => ({ ...options(), ssl: null, ...more });

async function administer(...statements: readonly string[]): Promise<void> {
  const session = await openSession(plain());
  for (const statement of statements) await session.run(statement);
  await session.close();
}

/** `plain` or `encrypted`, or the code of the error that kept it from being opened. */
async function connect(wanted: DatabaseOptions): Promise<string> {
  try {
    const session = await openSession(wanted);
    const [row] = await session.query<{ Value: string }>("SHOW STATUS LIKE 'Ssl_cipher'");
    session.destroy();
    return row?.Value === undefined || row.Value === '' ? 'plain' : 'encrypted';
  } catch (error) {
    assert.ok(error instanceof RelayError, String(error));
    return error.code;
  }
}

before(async () => {
  certificates = await CertificateFolder.make();
  ca = await certificates.authority('ca');
  strangersCa = await certificates.authority('stranger');
  await certificates.certificate('address', { alternative: 'IP:127.0.0.1,IP:::1' });
  await certificates.certificate('localhost', { alternative: 'DNS:localhost' });
  await certificates.certificate('elsewhere', { alternative: 'DNS:db.example,IP:10.1.2.3' });
  await certificates.certificate('expired', { alternative: 'IP:127.0.0.1', days: -1 });
  await certificates.certificate('client', { passphrase: 'geheim' });
  await certificates.certificate('renewed', { passphrase: 'neu' });
  await serve('address');
  server = await startMariadb({
    args: [
      ...['ca=ca.pem', 'cert=served.crt', 'key=served.key'].map(
        (each) => `--ssl-${each.replace('=', `=${certificates.dir}/`)}`,
      ),
      '--bind-address=127.0.0.1,::1',
      '--disconnect-on-expired-password=1',
    ],
    bufferPoolMb: 16,
  });
});
after(async () => {
  await server?.stop();
  await certificates?.remove();
});

test('a certificate for the address is believed at the address', async () => {
  assert.equal(await connect(options()), 'encrypted');
});

test('a certificate for localhost is believed at localhost, and at no address', async () => {
  await serve('localhost');
  assert.equal(await connect(options('localhost')), 'encrypted');
  assert.equal(await connect(options('127.0.0.1')), 'DB_REFUSED');
  await assert.rejects(openSession(options('127.0.0.1')), /does not match certificate.*127\.0\.0\.1/);
});

test('a certificate for another name or address, or of another authority, is refused; without verify it passes', async () => {
  await serve('elsewhere');
  assert.equal(await connect(options('localhost')), 'DB_REFUSED');
  assert.equal(await connect(options('127.0.0.1')), 'DB_REFUSED');
  assert.equal(await connect(options('127.0.0.1', { verify: false })), 'encrypted');
  await serve('address');
  assert.equal(await connect(options('127.0.0.1', { ca: strangersCa })), 'DB_REFUSED');
});

test('IPv6: an address, a name with several addresses of which one is dead', async (t) => {
  assert.equal(await connect(options('::1')), 'encrypted');
  assert.equal(await connect(plain({ host: '::1' })), 'plain');
  t.mock.method(dns.promises, 'lookup', async () => [
    { address: '127.0.0.9', family: 4 },
    { address: '::1', family: 6 },
  ]);
  syncBuiltinESMExports();
  t.after(syncBuiltinESMExports);
  assert.equal(await connect(plain({ host: 'db.example' })), 'plain');
  assert.equal(await connect(plain({ host: 'db.example', port: await freePort() })), 'DB_UNREACHABLE');
  const fault = await openSession(plain({ host: 'db.example', port: 1 })).catch((error: RelayError) => error.message);
  assert.match(String(fault), /^connecting to db\.example:1 \(::1\): ECONNREFUSED: .*::1:1; nothing listens/);
});

test('an encrypted key opens; certificate, key, passphrase, authority and password are those of each moment', async () => {
  await administer(
    "CREATE USER holder@'%' IDENTIFIED BY 'one' REQUIRE SUBJECT '/CN=client'",
    "CREATE USER renewed@'%' IDENTIFIED BY 'one' REQUIRE SUBJECT '/CN=renewed'",
  );
  const parts = async (name: string, passphrase: string) => ({
    ca,
    cert: await certificates.read(`${name}.crt`),
    key: await certificates.read(`${name}.key`),
    passphrase,
    verify: true,
  });
  let ssl = await parts('client', 'geheim');
  let password = 'one';
  const held = (user: string): DatabaseOptions => ({ ...options(), user, password: () => password, ssl: () => ssl });
  assert.equal(await connect(held('holder')), 'encrypted');
  assert.equal(await connect(held('renewed')), 'DB_REFUSED');
  ssl = await parts('renewed', 'neu');
  assert.equal(await connect(held('renewed')), 'encrypted');
  ssl = { ...ssl, ca: strangersCa };
  assert.equal(await connect(held('renewed')), 'DB_REFUSED');
  ssl = await parts('renewed', 'neu');
  password = 'two';
  assert.equal(await connect(held('renewed')), 'DB_REFUSED');
  await administer("SET PASSWORD FOR renewed@'%' = PASSWORD('two')");
  assert.equal(await connect(held('renewed')), 'encrypted');
});

async function messageOf(wanted: DatabaseOptions): Promise<string> {
  const session = await openSession(wanted).catch((error: RelayError) => error);
  assert.ok(session instanceof RelayError, 'it was let in');
  assert.ok(!/\n/.test(session.message), session.message);
  assert.equal(session.exitCode, session.code === 'DB_SCHEMA' ? 2 : 3);
  return session.message;
}

test('each refusal of the server says its cause and what to do', async () => {
  await administer(
    "CREATE USER tls@'%' IDENTIFIED BY 'x' REQUIRE SSL",
    "CREATE USER locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK",
    "CREATE USER expired@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE",
    "CREATE USER none@'%' IDENTIFIED BY 'x'",
    "CREATE USER socket@'%' IDENTIFIED VIA unix_socket",
    "CREATE USER one@'%' IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1",
  );
  const as = (user: string, more: Partial<DatabaseOptions> = {}) => plain({ user, password: 'x', ...more });
  const told = async (wanted: DatabaseOptions, expected: RegExp) => assert.match(await messageOf(wanted), expected);
  await told(
    as('tls'),
    /ER_ACCESS_DENIED_ERROR.*check DB_USER and DB_PASSWORD; an account with REQUIRE SSL needs DB_SSL=true/,
  );
  await told({ ...options(), password: 'wrong' }, /check DB_USER and DB_PASSWORD, and DB_SSL_CERT/);
  await told(as('locked'), /locked.*; the account of DB_USER is locked: ALTER USER \.\. ACCOUNT UNLOCK$/);
  await told(as('expired'), /the password of DB_USER has expired/);
  await told(as('none', { database: 'mysql' }), /give DB_USER rights on database mysql, or correct DB_NAME/);
  await told(plain({ database: 'no-such' }), /create database no-such, or correct DB_NAME$/);
  const first = await openSession(as('one'));
  await told(as('one'), /MAX_USER_CONNECTIONS|max_user_connections/);
  await first.close();
  await administer('SET GLOBAL max_connections = 10');
  const taken: Session[] = [];
  try {
    for (let n = 0; n < 10; n += 1) taken.push(await openSession(as('none')));
    await told(as('none'), /ER_CON_COUNT_ERROR.*; the server has no connection left \(max_connections\)/);
  } finally {
    await Promise.all(taken.map((session) => session.close()));
    await administer('SET GLOBAL max_connections = 500');
  }
});

test('each fault of TLS says its cause and the setting', async () => {
  const told = async (wanted: DatabaseOptions, expected: RegExp) => assert.match(await messageOf(wanted), expected);
  await told(
    options('127.0.0.1', { ca: strangersCa }),
    /signed by an authority that is not trusted here: set DB_SSL_CA/,
  );
  await told(options('127.0.0.1', { ca: null }), /signed by an authority that is not trusted here: set DB_SSL_CA/);
  await told(options('localhost'), /certificate is for other names: set DB_HOST/);
  await serve('expired');
  await told(options(), /has expired: have it renewed$/);
  await serve('address');
  const pair = { cert: await certificates.read('client.crt'), key: await certificates.read('address.key') };
  await told(options('127.0.0.1', pair), /DB_SSL_KEY is not the key of DB_SSL_CERT/);
});

test('a port of another kind says so', async () => {
  const told = async (port: number, expected: RegExp) => assert.match(await messageOf(plain({ port })), expected);
  await told(await freePort(), /nothing listens there: check DB_HOST and DB_PORT$/);
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n').on('error', () => undefined));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    const port = (other.address() as { port: number }).port;
    await told(port, /check DB_HOST and DB_PORT$/);
  } finally {
    other.close();
  }
});
