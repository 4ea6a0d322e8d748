/** Doorbell and election: by Redis where it is configured, otherwise by the database and within this process. */
import type { Config } from '#config';
import { type DatabaseOptions, openSession, requireWritable } from '#database';
import { createMemoryDoorbell, createRedisDoorbell } from '#doorbell';
import { createDatabaseElection, createRedisElection, type LockSession } from '#leader-election';
import type { Doorbell, LeaderElection } from '#outbox';
import type { Logger } from '#runtime';
import { databaseOptions } from './open-database.ts';

/** How often a leader without Redis makes sure that its session still holds the lock. */
const DATABASE_LOCK_CHECK_MS = 1_000;

/**
 * A lock on a server that was demoted elects somebody beside the leader on its successor: such a session is given up, so that the
 * next one finds the successor.
 */
async function openLockSession(options: DatabaseOptions): Promise<LockSession> {
  const session = await openSession(options);
  return {
    query: async (sql, values) => {
      await requireWritable(session);
      return session.query(sql, values);
    },
    close: () => session.close(),
  };
}

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
    connect: () => openLockSession(databaseOptions(config, 'kafka-row-sender election')),
    // The lock is the database's own, so that two relays in two databases of one server do not meet.
    prefix: `${config.db.database}.${config.tables.watermark}`,
    checkIntervalMs: DATABASE_LOCK_CHECK_MS,
    queryDeadlineMs: config.db.connectTimeoutMs,
    logger,
    doorbell,
  });
}
