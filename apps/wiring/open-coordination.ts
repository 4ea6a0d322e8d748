/** Doorbell and election: by Redis where it is configured and answers, otherwise by the database and within this process. */
import type { Config } from '#config';
import { openSession, requireWritable } from '#database';
import { createMemoryDoorbell, createRedisDoorbell } from '#doorbell';
import { createDatabaseElection, createRedisElection, type LockSession } from '#leader-election';
import type { Doorbell, LeaderElection } from '#outbox';
import { type Logger, nameInId } from '#runtime';
import { type ElectionEvent, logElection } from './election-notes.ts';
import { databaseOptions } from './open-database.ts';
import { redisTarget } from './redis-target.ts';

/** How often a leader makes sure that its session still holds the lock. */
const DATABASE_LOCK_CHECK_MS = 1_000;

export function openDoorbell(config: Config, logger: Logger): Doorbell {
  const redis = redisTarget(config);
  return redis === null ? createMemoryDoorbell() : createRedisDoorbell({ redis, prefix: config.redis.prefix, logger });
}

/** The lock is the database's own, so that two relays in two databases of one server do not meet. */
export const databaseLockPrefix = ({ db, tables }: Pick<Config, 'db' | 'tables'>): string =>
  `${nameInId(db.database)}.${nameInId(tables.watermark)}`;

/** Logs by what the election goes on, and tells `onEvent`. */
export function openElection(
  config: Config,
  doorbell: Doorbell,
  logger: Logger,
  onEvent: (event: ElectionEvent) => void,
): LeaderElection {
  const { lockTtlMs: ttlMs } = config.writer;
  const database = {
    connect: () => openLockSession(config, ttlMs),
    prefix: databaseLockPrefix(config),
    checkIntervalMs: DATABASE_LOCK_CHECK_MS,
    queryDeadlineMs: config.db.connectTimeoutMs,
  };
  const redis = redisTarget(config);
  if (redis === null) return createDatabaseElection({ ...database, logger, doorbell });
  const { prefix } = config.redis;
  const log = logElection(logger);
  const both = (event: ElectionEvent) => {
    log(event);
    onEvent(event);
  };
  return createRedisElection({ redis, prefix, ttlMs, database, logger, doorbell, onEvent: both });
}

/**
 * A leader that was paused, or whose machine is gone without a word, must not keep the lock: its session asks the server every
 * second, and the server ends one that rests for a TTL. A lock on a server that was demoted elects somebody beside the leader on
 * its successor: such a session is given up, so that the next one finds the successor.
 */
async function openLockSession(config: Config, ttlMs: number): Promise<LockSession> {
  const session = await openSession(databaseOptions(config, 'kafka-row-sender election'));
  try {
    // A number of our own settings; not every server knows the variable, and there the session ends with its connection.
    await session.run(`SET SESSION wait_timeout = ${Math.ceil(ttlMs / 1000)}`);
  } catch (thrown) {
    if (session.broken) throw thrown;
  }
  return {
    query: async (sql, values) => {
      await requireWritable(session);
      return session.query(sql, values);
    },
    close: () => session.close(),
  };
}
