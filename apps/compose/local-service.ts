/**
 * A service of docker-compose.yml as a process on this machine: its command from source, and its settings with the
 * addresses, names and secrets of a test in the place of the containers'. Throws on anything it does not know how to map,
 * so that a new setting in the file is looked at here too.
 */
import type { ComposeFile } from './read-compose.ts';

/** What the test has instead of the containers. */
export interface LocalWorld {
  readonly database: { readonly host: string; readonly port: number; readonly name: string; readonly user: string };
  readonly kafkaBootstrap: string;
  readonly redisUrl: string;
  readonly topic: string;
  /** Begins transactional ids and Redis keys. */
  readonly prefix: string;
  /** Where the repository is: secrets are files in it. */
  readonly repository: string;
}

export interface LocalService {
  /** Relative to the repository, such as `apps/writer/main.ts`. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const PREFIX = 'KAFKA_ROW_SENDER_';
const BUILT = /^dist\/(apps\/[a-z-]+\/main)\.js$/;
const SECRETS = '/run/secrets/';

export function localService(file: ComposeFile, name: string, world: LocalWorld): LocalService {
  const [program, built = '', ...args] = file.services[name]?.command ?? [];
  const source = BUILT.exec(built)?.[1];
  if (program !== 'node' || source === undefined)
    throw new Error(`${name}: its command is not node dist/apps/../main.js`);
  return { entry: `${source}.ts`, args, env: localEnvironment(file, name, world) };
}

/** The service's environment as text, as Compose hands it over. */
export function environmentOf(file: ComposeFile, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(file.services[name]?.environment ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
}

function localEnvironment(file: ComposeFile, name: string, world: LocalWorld): Readonly<Record<string, string>> {
  const { database, prefix } = world;
  const mapped = Object.entries(environmentOf(file, name)).map(([key, value]) => {
    const setting = key.slice(PREFIX.length);
    return [key, localValue(file, setting, value, world)] as const;
  });
  return {
    ...Object.fromEntries(mapped),
    [`${PREFIX}DB_PORT`]: String(database.port),
    [`${PREFIX}KAFKA_TRANSACTIONAL_ID_PREFIX`]: prefix,
    [`${PREFIX}REDIS_PREFIX`]: prefix,
  };
}

function localValue(file: ComposeFile, setting: string, value: string, world: LocalWorld): string {
  switch (setting) {
    case 'DB_HOST':
      hostMustBe(file, value, 'mariadb');
      return world.database.host;
    case 'DB_NAME':
      return world.database.name;
    case 'DB_USER':
      return world.database.user;
    case 'DB_PASSWORD_FILE':
      return secretFile(file, value, world.repository);
    case 'KAFKA_BOOTSTRAP_SERVERS':
      advertisedMustBe(file, value);
      return world.kafkaBootstrap;
    case 'REDIS_URL':
      hostMustBe(file, new URL(value).hostname, 'redis');
      return world.redisUrl;
    case 'KAFKA_TOPIC':
      return world.topic;
    case 'HTTP_HOST':
      return '127.0.0.1';
    case 'HTTP_PORT':
      return '0';
    // The columns are those of the table in init.sql, and the rest says nothing about the place.
    case 'SOURCE_TABLE':
    case 'SOURCE_WATERMARK_COLUMN':
    case 'KAFKA_KEY_COLUMN':
    case 'SHUTDOWN_TIMEOUT':
    case 'LOG_LEVEL':
      return value;
    default:
      throw new Error(`${setting}: say in local-service.ts what a process on this machine gets for it`);
  }
}

/** A host name that resolves in the compose network to the service that is meant. */
function hostMustBe(file: ComposeFile, host: string, service: string): void {
  const names = [service, ...(file.services[service]?.networks?.default.aliases ?? [])];
  if (!names.includes(host)) throw new Error(`${host} is no name of the service ${service} (${names.join(', ')})`);
}

/** Kafka sends clients on to what it advertises: they must come by an address of that list. */
function advertisedMustBe(file: ComposeFile, address: string): void {
  const advertised = String(file.services.kafka?.environment?.KAFKA_ADVERTISED_LISTENERS ?? '').split(',');
  if (!advertised.some((listener) => listener.endsWith(`://${address}`))) {
    throw new Error(`${address} is not advertised by the service kafka (${advertised.join(', ')})`);
  }
}

function secretFile(file: ComposeFile, path: string, repository: string): string {
  const secret = path.startsWith(SECRETS) ? file.secrets[path.slice(SECRETS.length)] : undefined;
  if (secret === undefined) throw new Error(`${path} is no secret of the file`);
  return `${repository}/${secret.file}`;
}
