/** Encrypted sessions: whose certificate is believed. A real server, whose certificate is changed under it (FLUSH SSL). */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { RelayError } from '#runtime';
import { ensureBinaries, type MariadbServer, startMariadb } from '#testkit';
import { type DatabaseOptions, openSession } from './index.ts';

const run = promisify(execFile);
const openssl = async (...args: readonly string[]) => run((await ensureBinaries(['openssl'])).openssl, args);
const CONNECT_TIMEOUT_MS = 10_000;

let dir: string;
let server: MariadbServer;
let ca: Buffer;
let strangersCa: Buffer;

/** A certificate authority of its own. */
async function makeCa(name: string): Promise<Buffer> {
  const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.pem`)];
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...files);
  return readFile(join(dir, `${name}.pem`));
}

/** A certificate signed by `ca` for what its subjectAltName says, as `NAME.crt` and `NAME.key`. */
async function makeCertificate(name: string, alternative: string): Promise<void> {
  const at = (end: string) => join(dir, `${name}.${end}`);
  await writeFile(at('ext'), `subjectAltName=${alternative}\n`);
  const request = [
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=server',
    '-keyout',
    at('key'),
    '-out',
    at('csr'),
  ];
  await openssl(...request);
  const signer = ['-CA', join(dir, 'ca.pem'), '-CAkey', join(dir, 'ca.key'), '-CAcreateserial', '-days', '2'];
  await openssl('x509', '-req', '-in', at('csr'), ...signer, '-extfile', at('ext'), '-out', at('crt'));
}

async function serve(name: string): Promise<void> {
  await copyFile(join(dir, `${name}.crt`), join(dir, 'served.crt'));
  await copyFile(join(dir, `${name}.key`), join(dir, 'served.key'));
  if (server === undefined) return;
  const session = await openSession({ ...options(), ssl: null });
  await session.run('FLUSH SSL');
  session.destroy();
}

const options = (host = '127.0.0.1', more: Partial<NonNullable<DatabaseOptions['ssl']>> = {}): DatabaseOptions => ({
  host,
  port: server.port,
  user: server.user,
  password: server.password,
  database: null,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  readTimeoutMs: CONNECT_TIMEOUT_MS,
  ssl: { ca, cert: null, key: null, verify: true, ...more },
});

/** The cipher of a session, or the code of the error that kept it from being opened. */
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
  dir = await mkdtemp(join(tmpdir(), 'krs-tls-'));
  ca = await makeCa('ca');
  strangersCa = await makeCa('stranger');
  await makeCertificate('address', 'IP:127.0.0.1');
  await makeCertificate('localhost', 'DNS:localhost');
  await makeCertificate('elsewhere', 'DNS:db.example,IP:10.1.2.3');
  await serve('address');
  const files = ['--ssl-ca=ca.pem', '--ssl-cert=served.crt', '--ssl-key=served.key'].map((each) =>
    each.replace('=', `=${dir}/`),
  );
  server = await startMariadb({ args: files, bufferPoolMb: 16 });
});
after(async () => {
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
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
