/** The worker's connections: BullMQ wants them to wait for Redis for ever, and makes a copy that only it knows. */
import { closeRedis, connectTo, type RedisClient, type RedisTarget } from '#redis';
import type { Logger, Random } from '#runtime';

export interface WorkerConnection {
  readonly redis: RedisClient;
  /** Ends the connection and its copies, whatever they wait for. */
  close(): void;
}

/** A blocking read lasts 10 s at most, so a socket silent for longer with a command waiting is dead. */
const SOCKET_TIMEOUT_MS = 30_000;

export function openWorkerConnection(
  target: RedisTarget,
  use: string,
  logger: Logger,
  random: Random,
): WorkerConnection {
  const redis = connectTo(
    { target, use, logger, random },
    {
      maxRetriesPerRequest: null,
      socketTimeout: SOCKET_TIMEOUT_MS,
      // Asks INFO, which not every user may; BullMQ's own commands say what it may not.
      enableReadyCheck: false,
    },
  );
  const copies: RedisClient[] = [];
  // BullMQ's close waits for a copy to connect first; keeping hold of it is what makes a deadline possible.
  const duplicate = redis.duplicate.bind(redis) as (...args: unknown[]) => RedisClient;
  const keepCopy = (...args: unknown[]): RedisClient => {
    const copy = duplicate(...args);
    copy.on('error', () => undefined);
    copies.push(copy);
    return copy;
  };
  Object.assign(redis, { duplicate: keepCopy });
  return {
    redis,
    close: () => {
      for (const connection of [redis, ...copies]) closeRedis(connection);
    },
  };
}
