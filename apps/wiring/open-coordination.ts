/** Doorbell and election: by Redis where it is configured, otherwise by the database and within this process. */
import type { Config } from '#config';
import { openSession } from '#database';
import { createMemoryDoorbell, createRedisDoorbell } from '#doorbell';
import { createDatabaseElection, createRedisElection } from '#leader-election';
import type { Doorbell, LeaderElection } from '#outbox';
import type { Logger } from '#runtime';
import { databaseOptions } from './open-database.ts';

/** How often a leader without Redis makes sure that its session still holds the lock. */
const DATABASE_LOCK_CHECK_MS = 1_000;

export function openDoorbell(config: Config, logger: Logger): Doorbell {
  const { url, prefix } = config.redis;
  return url === null ? createMemoryDoorbell() : createRedisDoorbell({ url, prefix, logger });
}

export function openElection(config: Config, doorbell: Doorbell, logger: Logger): LeaderElection {
  const { url, prefix } = config.redis;
  if (url !== null) {
    return createRedisElection({ redis: { url }, prefix, ttlMs: config.writer.lockTtlMs, logger, doorbell });
  }
  return createDatabaseElection({
    connect: () => openSession(databaseOptions(config, 'kafka-row-sender election')),
    // The lock is the database's own, so that two relays in two databases of one server do not meet.
    prefix: `${config.db.database}.${config.tables.watermark}`,
    checkIntervalMs: DATABASE_LOCK_CHECK_MS,
    queryDeadlineMs: config.db.connectTimeoutMs,
    logger,
    doorbell,
  });
}
