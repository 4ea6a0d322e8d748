/** What the figures were measured on: hardware, and the versions of everything that took part. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { KAFKA_VERSION, type Stack } from '#testkit';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const LIBRARIES = ['kafkajs', 'mysql2', 'ioredis', 'bullmq', 'pino'];
const GIB = 1024 ** 3;

const readJson = (path: string) => JSON.parse(readFileSync(`${REPOSITORY}${path}`, 'utf8')) as { version: string };

async function databaseVersion({ host, port, user, password }: Stack['database']): Promise<string> {
  const connection = await mysql.createConnection({ host, port, user, password, connectTimeout: 10_000 });
  try {
    const [rows] = await connection.query('SELECT VERSION() AS version, @@innodb_flush_log_at_trx_commit AS flush');
    const [found] = rows as { version: string; flush: number }[];
    return `${found?.version} (innodb_flush_log_at_trx_commit ${found?.flush})`;
  } finally {
    await connection.end();
  }
}

async function redisVersion(url: string): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? 'unknown';
  } finally {
    redis.disconnect();
  }
}

/** Short, and whether the code has changed since. */
export function codeCommit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: REPOSITORY, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'apps', 'libs') === '' ? '' : ' with changes'}`;
  } catch {
    return 'unknown';
  }
}

/** Lines of `name: value`. */
export async function describeMachine(
  stack: Pick<Stack, 'database' | 'redisUrl' | 'kafka' | 'mariadb'>,
): Promise<readonly string[]> {
  const [cpu] = cpus();
  const libraries = LIBRARIES.map((name) => `${name} ${readJson(`node_modules/${name}/package.json`).version}`);
  const kafka = stack.kafka === null ? 'of unknown version' : KAFKA_VERSION;
  return [
    `Machine: ${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / GIB)} GiB, all servers on it`,
    `kafka-row-sender ${readJson('package.json').version}, commit ${codeCommit()}`,
    `Node ${process.version}, ${libraries.join(', ')}`,
    `Database ${await databaseVersion(stack.database)}, Redis ${await redisVersion(stack.redisUrl)}, Kafka ${kafka}`,
    `Servers ${stack.mariadb === null ? 'given' : 'started by this run on loopback'}`,
  ];
}
