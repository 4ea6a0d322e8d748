/**
 * One broker with listeners of many kinds: IPv6, TLS, TLS that wants a certificate, and logins. What fits is let in, also after
 * certificates and passwords have changed on disk; each misfit says its cause and the setting, whoever asks.
 */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { copyFile, writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import mysql from 'mysql2/promise';
import { loadConfig } from '#config';
import { connectKafka, openKafkajs, preflight } from '#kafka-delivery';
import { RelayError, silentLogger } from '#runtime';
import {
  CertificateFolder,
  failOnLeaks,
  freePort,
  type KafkaServer,
  startKafka,
  startMariadb,
  startRedis,
  until,
} from '#testkit';
import { type CliWorld, openCliWorld, runCli } from '../test/cli-world.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const OAUTH = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';

type Short = Readonly<Record<string, string>>;

let certificates: CertificateFolder;
let kafka: KafkaServer;
let world: CliWorld;
const ports = { six: 0, tls: 0, mutual: 0, login: 0 };

before(async () => {
  certificates = await CertificateFolder.make();
  await certificates.authority('ca');
  await certificates.authority('stranger');
  const alternative = 'DNS:localhost,IP:127.0.0.1';
  await certificates.certificate('broker', { alternative });
  await certificates.certificate('client', { passphrase: 'geheim' });
  await certificates.certificate('unknown', { authority: 'stranger' });
  const [key, crt] = [await certificates.read('broker.key'), await certificates.read('broker.crt')];
  await writeFile(certificates.path('keystore.pem'), key + crt);
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
  const stores = (listener: string) => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: certificates.path('keystore.pem'),
    [`listener.name.${listener}.ssl.truststore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.truststore.location`]: certificates.path('ca.pem'),
  });
  kafka = await startKafka({
    listeners: [
      { name: 'SIX', address: `[::1]:${ports.six}`, protocol: 'PLAINTEXT' },
      { name: 'TLS', address: `127.0.0.1:${ports.tls}`, protocol: 'SSL' },
      { name: 'MUTUAL', address: `127.0.0.1:${ports.mutual}`, protocol: 'SSL' },
      { name: 'LOGIN', address: `127.0.0.1:${ports.login}`, protocol: 'SASL_PLAINTEXT' },
    ],
    properties: {
      ...stores('tls'),
      ...stores('mutual'),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.login.sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER',
      'listener.name.login.plain.sasl.jaas.config': `${PLAIN} user_relay="one";`,
      'listener.name.login.oauthbearer.sasl.jaas.config': `${OAUTH} unsecuredLoginStringClaim_sub="relay";`,
    },
  });
  world = await openCliWorld('krs_listeners');
});
after(async () => {
  await world?.close();
  await kafka?.stop();
  await certificates?.remove();
});
failOnLeaks();

/** As a process of ours would connect with these settings. */
const connectionOf = (settings: Short) => {
  const env = Object.entries({ INSTANCE_ID: 'x', ...settings }).map(([name, raw]) => [`KAFKA_ROW_SENDER_${name}`, raw]);
  const { config } = loadConfig({ env: Object.fromEntries(env), needs: [] });
  return connectKafka({ ...kafkaOptions(config, silentLogger), connectionTimeoutMs: 2_000, requestTimeoutMs: 4_000 });
};

const at = (port: number, host = '127.0.0.1'): Short => ({ KAFKA_BOOTSTRAP_SERVERS: `${host}:${port}` });

async function outcomeOf(connection: ReturnType<typeof connectKafka>): Promise<string> {
  const outcome = await preflight(connection).catch((error: unknown) => error);
  if (!(outcome instanceof Error)) return 'in';
  assert.ok(outcome instanceof RelayError, String(outcome));
  assert.equal(outcome.exitCode, 3);
  assert.ok(!outcome.message.includes('\n'), outcome.message);
  return outcome.message;
}

test('IPv6: database, Redis, Kafka and health, for commands, a process and a consumer', async (t) => {
  const { env, topic } = world;
  const [database, redis] = await Promise.all([
    startMariadb({ bufferPoolMb: 16, args: ['--bind-address=127.0.0.1,::1'] }),
    startRedis({ args: ['--bind', '127.0.0.1', '::1'] }),
  ]);
  t.after(() => Promise.all([database.stop(), redis.stop()]));
  const { port, user, password } = database;
  const db = await mysql.createConnection({ host: '::1', port, user, password });
  t.after(() => db.end());
  await db.query('CREATE DATABASE six');
  await db.query('USE six');
  await db.query('CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40))');
  const httpPort = await freePort();
  const six = {
    ...env,
    KAFKA_ROW_SENDER_DB_HOST: '[::1]',
    KAFKA_ROW_SENDER_DB_PORT: String(port),
    KAFKA_ROW_SENDER_DB_NAME: 'six',
    KAFKA_ROW_SENDER_REDIS_URL: `redis://[::1]:${redis.port}`,
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: `[::1]:${ports.six}`,
    KAFKA_ROW_SENDER_HTTP_HOST: '::1',
    KAFKA_ROW_SENDER_HTTP_PORT: String(httpPort),
  };
  const init = await runCli(['init', '--create-topics'], six);
  assert.equal(init.code, 0, init.stderr);
  const check = await runCli(['config', 'check'], six);
  assert.equal(check.code, 0, check.stdout);
  assert.ok(check.stdout.includes(`ok      kafka [::1]:${ports.six}: 1 broker`), check.stdout);
  assert.ok(check.stdout.includes(`ok      database [::1]:${port}/six: `), check.stdout);
  assert.ok(check.stdout.includes('ok      redis redis://[::1]:'), check.stdout);
  await db.query("INSERT INTO orders (customer) VALUES ('a')");
  const kafkajs = openKafkajs({ brokers: [`[::1]:${ports.six}`], clientId: 'six', logger: silentLogger });
  const consumer = kafkajs.consumer({ groupId: topic });
  const seen: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.key)) });
  const stopping = new AbortController();
  const running = runCli(['run'], six, stopping.signal);
  await until('the record', () => seen.length === 1, 30_000);
  assert.equal((await fetch(`http://[::1]:${httpPort}/healthz`)).status, 200);
  await consumer.disconnect();
  stopping.abort();
  await running;
  const verify = await runCli(['verify', '--wait', '30'], six);
  assert.match(verify.stdout, /delivered 1 of 1/, verify.stderr);
});

test('a name with several addresses of which one is dead', async (t) => {
  t.mock.method(dns, 'lookup', (_host: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(null, [
      { address: '127.0.0.9', family: 4 },
      { address: '::1', family: 6 },
    ]),
  );
  assert.equal(await outcomeOf(connectionOf(at(ports.six, 'kafka.example'))), 'in');
  assert.match(
    await outcomeOf(connectionOf(at(1, 'kafka.example'))),
    /kafka\.example:1: .*127\.0\.0\.9:1.*::1:1.*; nothing listens there: check KAFKA_BOOTSTRAP_SERVERS/,
  );
});

test('certificates, key and passphrase are those on disk at the next connection', async () => {
  const place = async (name: string, passphrase: string) => {
    await copyFile(certificates.path(`${name}.crt`), certificates.path('own.crt'));
    await copyFile(certificates.path(`${name}.key`), certificates.path('own.key'));
    await writeFile(certificates.path('passphrase'), `${passphrase}\n`);
  };
  await place('client', 'geheim');
  await copyFile(certificates.path('stranger.pem'), certificates.path('trusted.pem'));
  const connection = connectionOf({
    ...at(ports.mutual),
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA: certificates.path('trusted.pem'),
    KAFKA_SSL_CERT: certificates.path('own.crt'),
    KAFKA_SSL_KEY: certificates.path('own.key'),
    KAFKA_SSL_KEY_PASSWORD_FILE: certificates.path('passphrase'),
  });
  assert.match(await outcomeOf(connection), /not trusted here: set KAFKA_SSL_CA to that authority's certificate$/);
  await copyFile(certificates.path('ca.pem'), certificates.path('trusted.pem'));
  assert.equal(await outcomeOf(connection), 'in');
  await place('unknown', '');
  assert.match(await outcomeOf(connection), /the broker does not take our certificate: have KAFKA_SSL_CERT signed/);
  await place('client', 'geheim');
  assert.equal(await outcomeOf(connection), 'in');
  await writeFile(certificates.path('trusted.pem'), '');
  assert.equal(await outcomeOf(connection), 'in', 'a file just being written leaves the last text in force');
});

test('a password file that changes, and OAUTHBEARER with extensions', async () => {
  const path = certificates.path('password');
  await writeFile(path, 'wrong');
  const login = { ...at(ports.login), KAFKA_SASL_USERNAME: 'relay', KAFKA_SASL_PASSWORD_FILE: path };
  const connection = connectionOf({ ...login, KAFKA_SASL_MECHANISM: 'PLAIN' });
  assert.match(await outcomeOf(connection), /check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD$/);
  await writeFile(path, 'one\n');
  assert.equal(await outcomeOf(connection), 'in');
  const sent: Buffer[] = [];
  const recorder = createServer((socket) => {
    const broker = connectTcp(ports.login, '127.0.0.1');
    socket
      .on('data', (bytes) => sent.push(bytes))
      .pipe(broker)
      .pipe(socket);
    for (const each of [socket, broker])
      each.on('error', () => undefined).on('close', () => [socket, broker].map((one) => one.destroy()));
  });
  const port = await listen(recorder);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const token = `${part({ alg: 'none' })}.${part({ sub: 'relay', iat: seconds, exp: seconds + 600 })}.`;
  const script = `process.stdout.write(process.argv[1].split(' ')[1])`;
  const oauth = {
    KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
    KAFKA_SASL_OAUTH_TOKEN_COMMAND: `"${process.execPath}" -e "${script}" 'two ${token}'`,
    KAFKA_SASL_OAUTH_EXTENSIONS: 'logicalCluster=lkc-1,identityPoolId=pool-1',
  };
  assert.equal(await outcomeOf(connectionOf({ ...at(port), ...oauth })), 'in');
  recorder.close();
  assert.ok(Buffer.concat(sent).includes('\u0001logicalCluster=lkc-1\u0001identityPoolId=pool-1\u0001\u0001'));
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

test('each misfit says its cause and the setting', async () => {
  const tls = { KAFKA_SSL: 'true', KAFKA_SSL_CA: certificates.path('ca.pem') };
  const login = { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'relay', KAFKA_SASL_PASSWORD: 'one' };
  const plain = Number(kafka.bootstrap.split(':')[1]);
  const cases: readonly (readonly [string, Short, RegExp])[] = [
    ['no login where one is wanted', at(ports.login), /if it wants a login, set KAFKA_SASL_MECHANISM$/],
    [
      'a mechanism that is off',
      { ...at(ports.login), ...login, KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' },
      /does not offer this mechanism: set KAFKA_SASL_MECHANISM/,
    ],
    [
      'a login where none is wanted',
      { ...at(plain), ...login },
      /wants no login at this port: unset KAFKA_SASL_MECHANISM/,
    ],
    [
      'a wrong password',
      { ...at(ports.login), ...login, KAFKA_SASL_PASSWORD: 'x' },
      /check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD$/,
    ],
    ['plain to a TLS port', at(ports.tls), /if this is a TLS port, set KAFKA_SSL to true/],
    ['TLS to a plain port', { ...at(plain), ...tls }, /set KAFKA_SSL to false, or KAFKA_BOOTSTRAP_SERVERS to the/],
    [
      'no authority',
      { ...at(ports.tls), KAFKA_SSL: 'true' },
      /not trusted here: set KAFKA_SSL_CA to that authority's certificate$/,
    ],
    [
      'no certificate of ours',
      { ...at(ports.mutual), ...tls },
      /wants a certificate of ours: set KAFKA_SSL_CERT and KAFKA_SSL_KEY$/,
    ],
    ['nothing there', at(await freePort()), /nothing listens there: check KAFKA_BOOTSTRAP_SERVERS/],
    [
      'no such host',
      at(9092, 'no-such-host.invalid'),
      /(there is no such host|the name server did not answer): check KAFKA_BOOTSTRAP_SERVERS/,
    ],
    [
      'no token',
      { ...at(ports.login), KAFKA_SASL_MECHANISM: 'OAUTHBEARER', KAFKA_SASL_OAUTH_TOKEN_COMMAND: '/bin/false' },
      /run KAFKA_SASL_OAUTH_TOKEN_COMMAND by hand/,
    ],
  ];
  for (const [what, settings, expected] of cases) assert.match(await outcomeOf(connectionOf(settings)), expected, what);
});

test('certificates of the broker that do not fit', async () => {
  const settings = { KAFKA_SSL: 'true', KAFKA_SSL_CA: certificates.path('ca.pem') };
  const cases: readonly (readonly [string, { alternative: string; days?: number }, RegExp])[] = [
    ['expired', { alternative: 'IP:127.0.0.1', days: -1 }, /has expired: have it renewed$/],
    [
      'elsewhere',
      { alternative: 'DNS:kafka.example' },
      /is for other names: set KAFKA_BOOTSTRAP_SERVERS to a name that is in it/,
    ],
  ];
  for (const [name, options, expected] of cases) {
    await certificates.certificate(name, options);
    const pair = { cert: await certificates.read(`${name}.crt`), key: await certificates.read(`${name}.key`) };
    const server = createTlsServer(pair, (socket) => socket.on('error', () => undefined));
    server.on('tlsClientError', () => undefined);
    const port = await listen(server);
    assert.match(await outcomeOf(connectionOf({ ...at(port), ...settings })), expected);
    server.close();
  }
});

test('doctor tells the same and ends with 3', async () => {
  const login = { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${ports.login}` };
  const { code, stdout } = await world.run(['doctor'], login);
  assert.match(stdout, /^AWAY .*if it wants a login, set KAFKA_SASL_MECHANISM$/m);
  assert.equal(code, 3);
});
