/** Ways to log in: MariaDB's plugin ed25519, a unix socket, and what is said of a plugin that is not known here. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type MariadbServer, startMariadb } from '#testkit';
import { type DatabaseOptions, openSession } from './index.ts';
import { signEd25519 } from './sign-ed25519.ts';

const PASSWORDS = ['s3cret', 'ä€😀 with spaces', 'x'.repeat(300)];
let server: MariadbServer;
let options: DatabaseOptions;

before(async () => {
  server = await startMariadb();
  const { host, port, user, password } = server;
  options = { host, port, user, password, database: null, connectTimeoutMs: 5_000, readTimeoutMs: 5_000, ssl: null };
});

after(() => server?.stop());

test('the signature is Ed25519: of a password of 32 bytes it is what others make of that seed', () => {
  const seed = '0123456789abcdef0123456789abcdef';
  const message = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7));
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed)]);
  const key = { key: pkcs8, format: 'der', type: 'pkcs8' } as const;
  const signature = signEd25519(seed, message);
  assert.deepEqual(signature, sign(null, message, key));
  assert.ok(verify(null, message, createPublicKey(createPrivateKey(key)), signature));
});

test('an account with ed25519, whatever its password', async () => {
  const admin = await openSession(options);
  await admin.run("INSTALL SONAME 'auth_ed25519'");
  for (const [at, password] of PASSWORDS.entries()) {
    const user = `ed${at}`;
    await admin.run(`CREATE USER ${user}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('${password}')`);
    const session = await openSession({ ...options, user, password });
    assert.equal((await session.query('SELECT 1')).length, 1);
    await session.close();
    await assert.rejects(openSession({ ...options, user, password: `${password}x` }), { code: 'DB_REFUSED' });
  }
  await admin.close();
});

test('a unix socket; one that is not there is waited for', async () => {
  const { socketPath } = server;
  const session = await openSession({ ...options, host: 'nowhere.invalid', port: 1, socketPath });
  const [row] = await session.query<{ socket: string }>('SELECT @@socket AS socket');
  assert.equal(row?.socket, socketPath);
  assert.ok(session.server !== null);
  await session.close();
  await assert.rejects(openSession({ ...options, socketPath: `${socketPath}.gone` }), (error: Error) => {
    assert.match(error.message, /mariadb\.sock\.gone: ENOENT/);
    return (error as Error & { code: string }).code === 'DB_UNREACHABLE';
  });
});

test('a statement given up on a unix socket is ended too', async () => {
  const session = await openSession({ ...options, socketPath: server.socketPath, readTimeoutMs: 300 });
  await assert.rejects(session.query('SELECT SLEEP(60)'), { code: 'DEADLINE_EXCEEDED' });
  const admin = await openSession(options);
  const count = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(60)'";
  let running = 1;
  while (running > 0) running = Number((await admin.query<{ n: string }>(count))[0]?.n);
  await admin.close();
});

test('a plugin that is not known here: one line names it', async () => {
  const admin = await openSession(options);
  await admin.run("INSTALL SONAME 'auth_pam'");
  await admin.run("CREATE USER odd@'%' IDENTIFIED VIA pam");
  await admin.close();
  await assert.rejects(openSession({ ...options, user: 'odd', password: 'x' }), (error: Error) => {
    assert.match(error.message, /plugin dialog/);
    return (error as Error & { code: string }).code === 'DB_REFUSED';
  });
});
