/** Settings to a database pool; waits for a server that is not there yet, refuses at once what waiting cannot mend. */
import { type Config, freshSecret, freshSsl } from '#config';
import { createPool, type DatabaseOptions, type Pool } from '#database';
import { checkSchema } from '#outbox-storage';
import { asRelayError, backoffMs, type Logger, RelayError, systemClock, systemRandom } from '#runtime';

/** How long a starting process waits for its database before it gives up with exit code 3. */
const STARTUP_WAIT_MS = 60_000;
/** What somebody has to mend first, and a password that is wrong stays wrong: asking again would lock the account. */
const ENDS_START: ReadonlySet<string> = new Set(['DB_REFUSED', 'STOPPED']);
const STARTUP_BACKOFF = { baseMs: 250, maxMs: 3_000 };

/** `writable`: a server that this account may not write to is of no use. */
export function databaseOptions(config: Config, applicationName: string, writable = true): DatabaseOptions {
  const { db } = config;
  return {
    host: db.host,
    port: db.port,
    socketPath: db.socketPath,
    writable,
    user: db.user,
    password: freshSecret(db.password, db.passwordFile),
    database: db.database,
    connectTimeoutMs: db.connectTimeoutMs,
    readTimeoutMs: db.readTimeoutMs,
    ssl: db.ssl === null ? null : freshSsl(db.ssl),
    applicationName,
  };
}

/**
 * Rejects with the last fault: after the startup wait for one that may pass, at once for a refused login, and with DB_SCHEMA or
 * DB_UNSUPPORTED where our tables are missing or of another version.
 */
export async function openDatabase(config: Config, name: string, logger: Logger, signal: AbortSignal): Promise<Pool> {
  if (config.sqlite !== null) {
    throw new RelayError(
      'CONFIG_INVALID',
      `${name} needs a database server: on an SQLite file there is one process, run`,
    );
  }
  const pool = createPool(databaseOptions(config, `kafka-row-sender ${name}`));
  const deadlineMs = systemClock.nowMs() + STARTUP_WAIT_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const engine = await pool.engine();
      await checkSchema(pool, config.tables);
      logger.info(
        { host: config.db.host, engine: engine.kind, version: engine.version, name: engine.name },
        'database connected',
      );
      return pool;
    } catch (thrown) {
      const error = asRelayError(thrown);
      const waits = error.verdict === 'retry' && !ENDS_START.has(error.code);
      if (!waits || systemClock.nowMs() >= deadlineMs || signal.aborted) {
        await pool.close();
        throw error;
      }
      const delayMs = backoffMs(attempt, STARTUP_BACKOFF, systemRandom);
      logger.warn({ code: error.code, reason: error.message, delayMs }, 'waiting for the database');
      await systemClock.sleep(delayMs, signal);
    }
  }
}
