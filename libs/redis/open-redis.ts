/** Opens a connection that fails fast and mends itself. */
import { Redis } from 'ioredis';
import type { Logger, Random } from '#runtime';
import { reconnectDelayMs } from './reconnect-delay.ts';
import { reportOutages } from './report-outages.ts';

export interface RedisConnection {
  /** `redis://` or `rediss://` (TLS); may hold a password, so it is never logged. */
  readonly url: string;
  /** What the connection is for: its name in `CLIENT LIST` and in the log. */
  readonly use: string;
  /** Every command is rejected after this many milliseconds without an answer. */
  readonly commandTimeoutMs: number;
  readonly logger: Logger;
  readonly random: Random;
}

/** A peer that vanished without a word is noticed after this many command timeouts, and the socket replaced. */
const SOCKET_TIMEOUT_IN_COMMANDS = 3;

/**
 * Starts connecting and returns at once. While the connection is not ready every command rejects immediately (no
 * offline queue, nothing resent): a lock or a hint that arrives late is worse than none.
 */
export function openRedis(options: RedisConnection): Redis {
  const redis = new Redis(options.url, {
    connectionName: options.use,
    commandTimeout: options.commandTimeoutMs,
    // The timer runs only while a command waits for its answer, so an idle connection is left alone.
    socketTimeout: options.commandTimeoutMs * SOCKET_TIMEOUT_IN_COMMANDS,
    connectTimeout: options.commandTimeoutMs * SOCKET_TIMEOUT_IN_COMMANDS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => reconnectDelayMs(attempt, options.random),
  });
  reportOutages(redis, options.use, options.logger);
  return redis;
}
