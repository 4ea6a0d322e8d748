/** The worker's connections: BullMQ wants them to wait for Redis for ever, and makes a copy that only it knows. */
import { Redis } from 'ioredis';
import { closeRedis, reconnectDelayMs, reportOutages } from '#redis';
import type { Logger, Random } from '#runtime';

export interface WorkerConnection {
  readonly redis: Redis;
  /** Ends the connection and its copies, whatever they wait for. */
  close(): void;
}

/** A blocking read lasts 10 s at most, so a socket silent for longer with a command waiting is dead. */
const SOCKET_TIMEOUT_MS = 30_000;

export function openWorkerConnection(url: string, use: string, logger: Logger, random: Random): WorkerConnection {
  const redis = new Redis(url, {
    connectionName: use,
    maxRetriesPerRequest: null,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (attempt) => reconnectDelayMs(attempt, random),
  });
  reportOutages(redis, use, logger);
  const copies: Redis[] = [];
  // BullMQ's close waits for a copy to connect first; keeping hold of it is what makes a deadline possible.
  redis.duplicate = (override) => {
    const copy = Redis.prototype.duplicate.call(redis, override);
    copy.on('error', () => undefined);
    copies.push(copy);
    return copy;
  };
  return {
    redis,
    close: () => {
      for (const connection of [redis, ...copies]) closeRedis(connection);
    },
  };
}
