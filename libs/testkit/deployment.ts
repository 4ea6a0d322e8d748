/**
 * A deployment of our executables on given servers, under names that no other run has: database, topic, markers, Redis keys.
 * Tests, drills, the demo and the end-to-end scripts start their processes here, and everything goes when it is dropped.
 */
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from './create-test-database.ts';
import { testKafka } from './kafka-client.ts';
import { type App, spawnApp } from './spawn-app.ts';
import { type DatabaseAddress, testEnvironment } from './test-environment.ts';

export interface DeploymentServers {
  readonly database: DatabaseAddress;
  /** Null: without Redis. */
  readonly redisUrl: string | null;
  readonly kafkaBootstrap: string;
}

export interface DeploymentOptions {
  /** Begins every name. */
  readonly name: string;
  /** Those of the test environment unless given. */
  readonly servers?: DeploymentServers;
  readonly source: { readonly table: string; readonly keyColumn: string; readonly watermarkColumn?: string };
  readonly partitions?: number;
  /** More settings, without the prefix `KAFKA_ROW_SENDER_`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Deployment {
  readonly name: string;
  readonly database: TestDatabase;
  readonly servers: DeploymentServers;
  readonly topic: string;
  /** The environment of every process, with the prefix. */
  readonly env: Readonly<Record<string, string>>;
  /** Processes started here, in order, ended ones too. */
  readonly apps: readonly App[];
  /** A statement of the application's or of a look from outside. */
  query<T = mysql.RowDataPacket>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  /** Makes tables, marker topic and topic; throws with the output unless it ends with 0. */
  init(): Promise<void>;
  /** Runs a command of the CLI to its end. */
  cli(...args: string[]): Promise<{ readonly code: number | null; readonly output: string }>;
  writer(settings?: Readonly<Record<string, string>>): App;
  sender(settings?: Readonly<Record<string, string>>): App;
  /** Writer and sender in one process. */
  run(settings?: Readonly<Record<string, string>>): App;
  /** SIGTERM to all that run; rejects unless each ends with 0. */
  stopAll(deadlineMs?: number): Promise<void>;
  /** Kills what runs and removes every trace from the servers. */
  drop(): Promise<void>;
}

/** Compiled code of earlier starts: many processes start at once here, and compiling is half of what a start costs. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/node-compile', import.meta.url));
const PREFIX = 'KAFKA_ROW_SENDER_';
const PARTITIONS = 6;
const INIT_DEADLINE_MS = 120_000;
const CLI_DEADLINE_MS = 180_000;
const CONNECT_TIMEOUT_MS = 10_000;
const SCAN_COUNT = 1_000;

const prefixed = (settings: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${PREFIX}${name}`, value]));

export async function createDeployment(options: DeploymentOptions): Promise<Deployment> {
  const servers = options.servers ?? testEnvironment();
  const database = await createTestDatabase({ prefix: options.name, address: servers.database });
  return new RunningDeployment(database, servers, options);
}

class RunningDeployment implements Deployment {
  readonly name: string;
  readonly database: TestDatabase;
  readonly servers: DeploymentServers;
  readonly topic: string;
  readonly env: Readonly<Record<string, string>>;
  readonly apps: App[] = [];
  readonly #partitions: number;
  #connection: Promise<mysql.Connection> | null = null;

  constructor(database: TestDatabase, servers: DeploymentServers, options: DeploymentOptions) {
    this.name = database.name;
    this.database = database;
    this.servers = servers;
    this.topic = `${this.name}.rows`;
    this.#partitions = options.partitions ?? PARTITIONS;
    this.env = prefixed({
      DB_HOST: database.host,
      DB_PORT: String(database.port),
      DB_USER: database.user,
      DB_PASSWORD: database.password,
      DB_NAME: database.name,
      SOURCE_TABLE: options.source.table,
      SOURCE_WATERMARK_COLUMN: options.source.watermarkColumn ?? 'WatermarkId',
      KAFKA_KEY_COLUMN: options.source.keyColumn,
      KAFKA_TOPIC: this.topic,
      KAFKA_BOOTSTRAP_SERVERS: servers.kafkaBootstrap,
      KAFKA_TRANSACTIONAL_ID_PREFIX: this.name,
      REDIS_PREFIX: this.name,
      ...(servers.redisUrl === null ? {} : { REDIS_URL: servers.redisUrl }),
      ...options.settings,
    });
  }

  async query<T>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    const { host, port, user, password, name } = this.database;
    this.#connection ??= mysql.createConnection({
      ...{ host, port, user, password, database: name },
      connectTimeout: CONNECT_TIMEOUT_MS,
      supportBigNumbers: true,
    });
    const opening = this.#connection;
    try {
      const connection = await opening;
      const [rows] = await connection.query(sql, [...values]);
      return rows as T[];
    } catch (error) {
      // The server may have been restarted: the next statement opens a new connection.
      if ((error as { fatal?: boolean }).fatal === true) await this.#hangUp();
      throw error;
    }
  }

  async init(): Promise<void> {
    const { code, output } = await this.#toEnd(
      ['init', '--create-topics', '--partitions', String(this.#partitions), '--wait', '30'],
      INIT_DEADLINE_MS,
    );
    if (code !== 0) throw new Error(`init ended with ${code}: ${output}`);
  }

  cli(...args: string[]): Promise<{ code: number | null; output: string }> {
    return this.#toEnd(args, CLI_DEADLINE_MS);
  }

  writer(settings: Readonly<Record<string, string>> = {}): App {
    return this.#spawn('apps/writer/main.ts', [], settings);
  }

  sender(settings: Readonly<Record<string, string>> = {}): App {
    return this.#spawn('apps/sender/main.ts', [], settings);
  }

  run(settings: Readonly<Record<string, string>> = {}): App {
    return this.#spawn('apps/cli/main.ts', ['run'], settings);
  }

  async stopAll(deadlineMs?: number): Promise<void> {
    const running = this.apps.filter((app) => app.running);
    const exits = await Promise.all(running.map((app) => app.stop(deadlineMs)));
    for (const [index, { code, signal }] of exits.entries()) {
      if (code === 0) continue;
      throw new Error(`a process ended with ${code ?? signal} on SIGTERM:\n${running[index]?.output()}`);
    }
  }

  async drop(): Promise<void> {
    await Promise.all(this.apps.filter((app) => app.running).map((app) => app.kill()));
    await this.#hangUp();
    // Each is tried: one server that is gone must not leave the others' leftovers.
    const outcomes = await Promise.allSettled([this.database.drop(), this.#dropTopics(), this.#dropKeys()]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Not in the repository's folder: a `.env` there must not become the deployment's settings. */
  #spawn(entry: string, args: readonly string[], settings: Readonly<Record<string, string>>): App {
    const env = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...this.env, ...prefixed(settings) };
    const app = spawnApp(entry, env, { args, cwd: tmpdir() });
    this.apps.push(app);
    return app;
  }

  async #toEnd(args: readonly string[], deadlineMs: number): Promise<{ code: number | null; output: string }> {
    const app = this.#spawn('apps/cli/main.ts', args, {});
    const late = setTimeout(() => void app.kill(), deadlineMs);
    const { code } = await app.exit.finally(() => clearTimeout(late));
    return { code, output: app.output().trimEnd() };
  }

  async #hangUp(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = null;
    connection?.destroy();
  }

  async #dropTopics(): Promise<void> {
    const kafka = testKafka(this.servers.kafkaBootstrap);
    const admin = kafka.admin();
    await admin.connect();
    try {
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${this.name}.`));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      const { groups } = await admin.listGroups();
      const ours = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(`${this.name}.`));
      if (ours.length > 0) await admin.deleteGroups(ours).catch(() => undefined);
    } finally {
      await admin.disconnect();
    }
  }

  async #dropKeys(): Promise<void> {
    if (this.servers.redisUrl === null) return;
    const redis = new Redis(this.servers.redisUrl, { lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      for await (const keys of redis.scanStream({ match: `*${this.name}*`, count: SCAN_COUNT })) {
        if ((keys as string[]).length > 0) await redis.del(...(keys as string[]));
      }
    } finally {
      redis.disconnect();
    }
  }
}
