/** Connections of one command: opened for it, closed after it, tried once unless it was told to wait. */
import type { Config } from '#config';
import { createPool, type Pool } from '#database';
import { connectKafka, type KafkaConnection, preflight } from '#kafka-delivery';
import { RelayError, silentLogger } from '#runtime';
import { openSqliteFile, type SqliteFile } from '#sqlite-storage';
import { sqliteOperator } from '../sqlite/sqlite-operator.ts';
import { databaseOptions } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { type Operator, poolOperator } from '../wiring/operator.ts';
import { untilReachable } from '../wiring/try-servers.ts';

export interface Patience {
  /** 0: one attempt decides. */
  readonly waitMs: number;
  readonly note: (line: string) => void;
}

const IMPATIENT: Patience = { waitMs: 0, note: () => undefined };

/** Runs `work` on the outbox, in the file or on the server that the settings name. Rejects with the database's fault. */
export async function withOperator<T>(config: Config, work: (operator: Operator) => Promise<T>): Promise<T> {
  if (config.sqlite === null) return withDatabase(config, (pool) => work(poolOperator(pool, config)));
  return withSqliteFile(config, async (file) => work(await sqliteOperator(file, config)));
}

/** A file that is there. Rejects with DB_UNREACHABLE, exit code 3, when it is not. */
export async function withSqliteFile<T>(config: Config, work: (file: SqliteFile) => Promise<T>): Promise<T> {
  const file = await openSqliteFile({ path: config.sqlite?.path ?? '' });
  try {
    return await work(file);
  } finally {
    file.close();
  }
}

/** Rejects with CONFIG_INVALID, exit code 2, for a command that an SQLite file has no use for. */
export function refuseSqlite(config: Config, command: string): void {
  if (config.sqlite === null) return;
  throw new RelayError('CONFIG_INVALID', `${command} needs a database server: it does not work on an SQLite file`);
}

/** Runs `work` with a pool whose server has answered. Rejects with the database's fault, exit code 3 when it is away. */
export async function withDatabase<T>(
  config: Config,
  work: (pool: Pool) => Promise<T>,
  patience: Patience = IMPATIENT,
): Promise<T> {
  refuseSqlite(config, 'this command');
  const pool = createPool(databaseOptions(config, 'kafka-row-sender cli', false));
  const note = (why: string) => patience.note(`waiting for the database: ${why}`);
  try {
    await untilReachable(() => pool.engine(), patience.waitMs, note);
    return await work(pool);
  } finally {
    await pool.close();
  }
}

/** A way to Kafka after the cluster has answered and was found new enough. Nothing stays open between two uses of it. */
export async function reachKafka(config: Config, patience: Patience = IMPATIENT): Promise<KafkaConnection> {
  const kafka = connectKafka(kafkaOptions(config, silentLogger));
  const note = (why: string) => patience.note(`waiting for Kafka: ${why}`);
  await untilReachable(() => preflight(kafka), patience.waitMs, note);
  return kafka;
}
