/** Opens a connection that fails fast and mends itself. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger, Random } from '#runtime';
import { PrimaryConnector, ServerConnector } from './connectors.ts';
import { reconnectDelayMs } from './reconnect-delay.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisTarget } from './redis-target.ts';
import { reportOutages } from './report-outages.ts';
import { tlsOptions } from './tls-options.ts';

/** How a client treats its commands and its connection. */
export type Tuning = Omit<RedisOptions, 'replyMapping'>;

export interface RedisConnection {
  readonly target: RedisTarget;
  /** What the connection is for: its name in `CLIENT LIST` and in the log. */
  readonly use: string;
  /** Every command is rejected after this many milliseconds without an answer. */
  readonly commandTimeoutMs: number;
  readonly logger: Logger;
  readonly random: Random;
}

/** A peer that vanished without a word is noticed after this many command timeouts, and the socket replaced. */
const SOCKET_TIMEOUT_IN_COMMANDS = 3;
/** How often one command follows a slot that moved, or waits for a node that is being replaced. */
const REDIRECTIONS_MAX = 4;

/**
 * Starts connecting and returns at once. While the connection is not ready every command rejects immediately (no
 * offline queue, nothing resent): a lock or a hint that arrives late is worse than none.
 */
export function openRedis(options: RedisConnection): RedisClient {
  return connectTo(options, {
    commandTimeout: options.commandTimeoutMs,
    // The timer runs only while a command waits for its answer, so an idle connection is left alone.
    socketTimeout: options.commandTimeoutMs * SOCKET_TIMEOUT_IN_COMMANDS,
    connectTimeout: options.commandTimeoutMs * SOCKET_TIMEOUT_IN_COMMANDS,
    enableOfflineQueue: false,
    // Asks INFO, which not every user may: whoever is refused, or meets a server that still loads, hears so by its own command.
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  });
}

/** The client for the kind of address; `tuned` says how it treats commands. */
export function connectTo(
  { target, use, logger, random }: Omit<RedisConnection, 'commandTimeoutMs'>,
  tuned: Tuning,
): RedisClient {
  const { address, login, sentinelLogin, tls } = target;
  const delay = (attempt: number) => reconnectDelayMs(attempt, random);
  const common: Tuning = { ...tuned, connectionName: use, ...loginOptions(login) };
  if (tls !== null) common.tls = tlsOptions(tls);
  const [{ host, port }] = address.nodes;
  if (address.kind === 'cluster') {
    const { enableOfflineQueue = true, enableReadyCheck = true, ...redisOptions } = common;
    const cluster = {
      redisOptions: { ...redisOptions, Connector: ServerConnector },
      enableOfflineQueue,
      enableReadyCheck,
      clusterRetryStrategy: delay,
      maxRedirections: REDIRECTIONS_MAX,
      ...(tuned.connectTimeout === undefined ? {} : { slotsRefreshTimeout: tuned.connectTimeout }),
      // A certificate is compared with the name that was given, not with the address that it stands for.
      ...(tls === null ? {} : { dnsLookup: asIs }),
    };
    return reported(new Cluster([...address.nodes], cluster) as Cluster, use, logger);
  }
  const single: Tuning = { ...common, db: address.db, retryStrategy: delay };
  if (address.kind === 'server')
    return reported(new Redis({ ...single, Connector: ServerConnector, host, port }), use, logger);
  return reported(
    new Redis({
      ...single,
      // Also shows a server that is the primary no more.
      enableReadyCheck: true,
      Connector: PrimaryConnector,
      sentinels: [...address.nodes],
      name: address.name,
      ...(sentinelLogin.username === null ? {} : { sentinelUsername: sentinelLogin.username }),
      ...(sentinelLogin.password === null ? {} : { sentinelPassword: sentinelLogin.password }),
      sentinelRetryStrategy: delay,
      ...(tuned.connectTimeout === undefined ? {} : { sentinelCommandTimeout: tuned.connectTimeout }),
      ...(common.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: common.tls }),
    }),
    use,
    logger,
  );
}

const asIs = (name: string, done: (error: null, address: string) => void): void => done(null, name);

function loginOptions({ username, password }: RedisTarget['login']): Tuning {
  return { ...(username === null ? {} : { username }), ...(password === null ? {} : { password }) };
}

function reported<Client extends RedisClient>(client: Client, use: string, logger: Logger): Client {
  reportOutages(client, use, logger);
  return client;
}
