/** A database, a topic and a prefix of one test file's own, and the real command line run against them. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import mysql from 'mysql2/promise';
import { createTestDatabase, testEnvironment, testKafka, uniqueName } from '#testkit';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = `${REPOSITORY}apps/cli/main.ts`;
const NODE_FLAGS = ['--conditions=source', '--disable-warning=TimeoutNegativeWarning'];
/** A command that hangs must fail its test, not the whole run. */
const DEADLINE_MS = 90_000;

export type CliEnvironment = Readonly<Record<string, string>>;

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Settings of the surrounding shell do not count, and neither does a .env file of the repository. The signal sends SIGTERM to one that
 * runs until then.
 */
export async function runCli(
  args: readonly string[],
  env: CliEnvironment = {},
  signal?: AbortSignal,
  onOutput: (text: string) => void = () => undefined,
): Promise<CliResult> {
  const outer = Object.entries(process.env).filter(([name]) => !/^(KAFKA_ROW_SENDER_|NODE_)/.test(name));
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
    cwd: `${REPOSITORY}apps/cli`,
    env: { ...Object.fromEntries(outer), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  });
  signal?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  child.stdout.on('data', (bytes) => onOutput(String(bytes)));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

export interface CliWorld {
  readonly env: CliEnvironment;
  readonly prefix: string;
  readonly topic: string;
  /** Connected to the world's database. */
  readonly db: mysql.Connection;
  /** Runs the command line with the world's settings, and these besides. */
  run(args: readonly string[], more?: CliEnvironment): Promise<CliResult>;
  close(): Promise<void>;
}

/** A table `orders` with a key column `customer`, empty; neither our tables nor a topic yet. */
export async function openCliWorld(prefix: string): Promise<CliWorld> {
  const { kafkaBootstrap } = testEnvironment();
  const database = await createTestDatabase({ prefix });
  const { host, port, user, password, name } = database;
  const db = await mysql.createConnection({ host, port, user, password, database: name });
  await db.query(
    'CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40), amount DECIMAL(10, 2))',
  );
  const unique = uniqueName(prefix);
  const env = {
    KAFKA_ROW_SENDER_DB_HOST: host,
    KAFKA_ROW_SENDER_DB_PORT: String(port),
    KAFKA_ROW_SENDER_DB_USER: user,
    KAFKA_ROW_SENDER_DB_PASSWORD: password,
    KAFKA_ROW_SENDER_DB_NAME: name,
    KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
    KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN: 'id',
    KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'customer',
    KAFKA_ROW_SENDER_KAFKA_TOPIC: unique,
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: kafkaBootstrap,
    KAFKA_ROW_SENDER_KAFKA_TRANSACTIONAL_ID_PREFIX: unique,
    KAFKA_ROW_SENDER_LANES: '4',
  };
  return {
    env,
    prefix: unique,
    topic: unique,
    db,
    run: (args, more = {}) => runCli(args, { ...env, ...more }),
    async close() {
      await db.end();
      await database.drop();
      await dropTopics(kafkaBootstrap, unique);
    },
  };
}

/** Everything that begins with the prefix: the topic and the marker topic. */
async function dropTopics(bootstrap: string, prefix: string): Promise<void> {
  const admin = testKafka(bootstrap).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}
