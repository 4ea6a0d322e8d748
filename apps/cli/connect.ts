/** Connections of one command: opened for it, closed after it, tried once unless it was told to wait. */
import type { Config } from '#config';
import { createPool, type Pool } from '#database';
import { connectKafka, type KafkaConnection, preflight } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { databaseOptions } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { untilReachable } from '../wiring/try-servers.ts';

export interface Patience {
  /** 0: one attempt decides. */
  readonly waitMs: number;
  readonly note: (line: string) => void;
}

const IMPATIENT: Patience = { waitMs: 0, note: () => undefined };

/** Runs `work` with a pool whose server has answered. Rejects with the database's fault, exit code 3 when it is away. */
export async function withDatabase<T>(
  config: Config,
  work: (pool: Pool) => Promise<T>,
  patience: Patience = IMPATIENT,
): Promise<T> {
  const pool = createPool(databaseOptions(config, 'kafka-row-sender cli'));
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
