/** What docker-compose.yml promises, as far as it can be seen without an engine. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '#config';
import { environmentOf } from './local-service.ts';
import { type ComposeService, readCompose, startedServices } from './read-compose.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const FILE = readCompose(join(REPOSITORY, 'docker-compose.yml'));
const OURS = ['init', 'writer', 'sender'];
const SERVERS = ['mariadb', 'singlestore', 'redis', 'kafka'];

const serviceOf = (name: string): ComposeService => {
  const service = FILE.services[name];
  assert.ok(service, `no service ${name}`);
  return service;
};
const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const secretText = (name: string): string => read(FILE.secrets[name]?.file ?? '').trimEnd();

/** Host ports of the services, as `port service`. */
function hostPorts(services: readonly string[]): readonly string[] {
  return services
    .flatMap((name) => (serviceOf(name).ports ?? []).map((port) => [port.split(':'), name] as const))
    .map(([parts, name]) => {
      assert.equal(parts.length, 3, `${name}: give address, host port and port`);
      assert.equal(parts[0], '127.0.0.1', `${name}: published beyond this machine`);
      return `${parts[1]} ${name}`;
    })
    .sort();
}

test('a plain up starts MariaDB with Adminer, and the promised ports are published once', () => {
  const started = startedServices(FILE, []);
  assert.deepEqual(started, ['adminer', 'init', 'kafka', 'kafka-ui', 'mariadb', 'redis', 'sender', 'writer']);
  assert.deepEqual(hostPorts(started), ['3306 mariadb', '6379 redis', '8080 kafka-ui', '8081 adminer', '9092 kafka']);
});

test('the profile singlestore has SingleStoreDB and its Studio in the place of MariaDB and Adminer', () => {
  const started = startedServices(FILE, ['singlestore']);
  assert.deepEqual(started, ['init', 'kafka', 'kafka-ui', 'redis', 'sender', 'singlestore', 'writer']);
  assert.deepEqual(hostPorts(started), [
    '3306 singlestore',
    '6379 redis',
    '8080 kafka-ui',
    '8081 singlestore',
    '9092 kafka',
  ]);
  assert.ok(serviceOf('singlestore').ports?.includes('127.0.0.1:8081:8080'), 'Studio listens on 8080 inside');
});

test('each profile has exactly one database by the name that the relay asks for', () => {
  for (const profiles of [[], ['mariadb'], ['singlestore']]) {
    const named = startedServices(FILE, profiles).filter((name) =>
      serviceOf(name).networks?.default.aliases.includes('database'),
    );
    assert.equal(named.length, 1, `${profiles}: ${named}`);
    const init = serviceOf('init').depends_on ?? {};
    for (const name of named) assert.equal(init[name]?.condition, 'service_healthy', `init does not wait for ${name}`);
  }
});

test('every dependency is in the file, and one that a profile leaves out is not required', () => {
  for (const profiles of [[], ['singlestore']]) {
    const started = startedServices(FILE, profiles);
    for (const name of started) {
      for (const [dependency, { condition, required }] of Object.entries(serviceOf(name).depends_on ?? {})) {
        const target = serviceOf(dependency);
        if (required !== false) assert.ok(started.includes(dependency), `${name} needs ${dependency}`);
        // SingleStoreDB's image brings its check.
        const isChecked = target.healthcheck !== undefined || dependency === 'singlestore';
        if (condition === 'service_healthy') assert.ok(isChecked, `${dependency} has no health check`);
      }
    }
  }
  for (const name of ['writer', 'sender']) {
    assert.equal(serviceOf(name).depends_on?.init?.condition, 'service_completed_successfully');
  }
});

test('images are pinned to a version, and ours is built from the Dockerfile', () => {
  for (const [name, { image, build }] of Object.entries(FILE.services)) {
    if (OURS.includes(name)) {
      assert.ok(build && existsSync(join(REPOSITORY, build.context, build.dockerfile)), `${name}: no Dockerfile`);
      continue;
    }
    assert.match(image, /:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$/, `${name}: ${image}`);
  }
});

test('the servers keep their data in volumes, and what is mounted from here is here', () => {
  for (const name of SERVERS) {
    const volumes = serviceOf(name).volumes ?? [];
    const named = volumes.map((volume) => volume.split(':')[0] ?? '').filter((from) => !from.startsWith('.'));
    assert.equal(named.length, 1, `${name} has no volume for its data`);
    for (const volume of named) assert.ok(volume in FILE.volumes, `${volume} is not declared`);
    for (const from of volumes.map((volume) => volume.split(':')[0] ?? '').filter((one) => one.startsWith('.'))) {
      assert.ok(existsSync(join(REPOSITORY, from)), `${name} mounts ${from}, which is not there`);
    }
  }
});

test('our processes have no right that they do not need, and time to drain', () => {
  for (const name of OURS) {
    const service = serviceOf(name);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.tmpfs, ['/tmp'], name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
    const grace = /^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1];
    const shutdownS = Number(environmentOf(FILE, name).KAFKA_ROW_SENDER_SHUTDOWN_TIMEOUT);
    assert.ok(Number(grace) > shutdownS, `${name}: killed after ${grace} s, while it may drain for ${shutdownS} s`);
  }
  assert.equal(serviceOf('init').restart, 'no', 'init is one-shot');
  assert.equal(serviceOf('init').healthcheck?.disable, true, 'init serves nothing to be asked');
  for (const name of ['writer', 'sender']) assert.equal(serviceOf(name).restart, 'unless-stopped');
  assert.equal(serviceOf('writer').deploy?.replicas, 2, 'one writer active, one standing by');
  assert.equal(serviceOf('sender').ports, undefined, 'a published port would not scale');
});

test('every setting of our services is known and right, and no password is among them', () => {
  for (const name of OURS) {
    const { KAFKA_ROW_SENDER_DB_PASSWORD_FILE: secret, ...env } = environmentOf(FILE, name);
    assert.ok(Object.keys(env).every((key) => key.startsWith('KAFKA_ROW_SENDER_')));
    assert.ok(!('KAFKA_ROW_SENDER_DB_PASSWORD' in env), `${name}: the password belongs into a secret`);
    assert.equal(secret, `/run/secrets/${serviceOf(name).secrets?.[0]}`);
    const path = join(REPOSITORY, FILE.secrets[serviceOf(name).secrets?.[0] ?? '']?.file ?? '');
    const { config, warnings } = loadConfig({ env: { ...env, KAFKA_ROW_SENDER_DB_PASSWORD_FILE: path } });
    assert.equal(config.deliveryMode, 'exactly-once');
    assert.deepEqual(warnings, []);
    if (name !== 'init') assert.equal(config.http.host, '0.0.0.0', `${name} must answer its health check`);
  }
});

test('writers and senders have the same settings', () => {
  assert.deepEqual(environmentOf(FILE, 'writer'), environmentOf(FILE, 'sender'));
  const {
    KAFKA_ROW_SENDER_HTTP_HOST: _host,
    KAFKA_ROW_SENDER_HTTP_PORT: _port,
    ...shared
  } = environmentOf(FILE, 'writer');
  assert.deepEqual(shared, environmentOf(FILE, 'init'));
});

test('the first statements of both databases make the user, password, database and columns that the settings name', () => {
  const env = environmentOf(FILE, 'writer');
  const password = secretText(serviceOf('writer').secrets?.[0] ?? '');
  for (const path of ['deploy/mariadb/init.sql', 'deploy/singlestore/init.sql']) {
    const sql = read(path);
    assert.ok(sql.includes(`'${env.KAFKA_ROW_SENDER_DB_USER}'@'%' IDENTIFIED BY '${password}'`), `${path}: user`);
    assert.ok(sql.includes(`\`${env.KAFKA_ROW_SENDER_DB_NAME}\`.\`${env.KAFKA_ROW_SENDER_SOURCE_TABLE}\``), path);
    assert.ok(sql.includes(`\`${env.KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN}\` BIGINT`), `${path}: watermark column`);
    assert.ok(sql.includes(`\`${env.KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN}\``), `${path}: key column`);
  }
});

test('the root passwords are those that the README names', () => {
  assert.equal(serviceOf('mariadb').environment?.MARIADB_ROOT_PASSWORD, 'test_password');
  assert.equal(serviceOf('singlestore').environment?.ROOT_PASSWORD, 'test_password');
});

test('Redis evicts nothing and survives a restart; Kafka makes no topic behind the back', () => {
  const redis = serviceOf('redis').command?.join(' ') ?? '';
  assert.match(redis, /--appendonly yes/);
  assert.match(redis, /--maxmemory-policy noeviction/);
  assert.equal(serviceOf('kafka').environment?.KAFKA_AUTO_CREATE_TOPICS_ENABLE, 'false');
  const advertised = String(serviceOf('kafka').environment?.KAFKA_ADVERTISED_LISTENERS).split(',');
  assert.ok(advertised.includes('HOST://localhost:9092'), 'programs on this machine reach Kafka by localhost:9092');
});
