/** The file of a relay: waits until it is there, holds its lock, makes the tables, and ends what a former relay left. */
import type { Config } from '#config';
import { asRelayError, type Logger, RelayError, systemClock } from '#runtime';
import {
  endLeases,
  fileIdOf,
  migrate,
  openSqliteFile,
  type RelayLock,
  type SqliteFile,
  tryRelayLock,
} from '#sqlite-storage';
import type { Service } from '../wiring/service.ts';

export interface RelayFile {
  readonly file: SqliteFile;
  readonly fileId: string;
  close(): void;
}

/** What a second relay of a file does. */
export type Standby = 'wait' | 'refuse';

export interface OpenOptions {
  /** Default: `wait`. */
  readonly standby?: Standby;
  /** How long to wait for a file that is not there; a minute unless said. */
  readonly startupWaitMs?: number;
}

/** How long a starting relay waits for the application to make the file before it gives up with exit code 3. */
const STARTUP_WAIT_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** Null: the signal aborted first. Rejects with DB_UNREACHABLE without a file, CONFIG_INVALID when another relay has it. */
export async function openRelayFile(
  { config, logger, signal }: Pick<Service, 'config' | 'logger' | 'signal'>,
  { standby = 'wait', startupWaitMs = STARTUP_WAIT_MS }: OpenOptions,
): Promise<RelayFile | null> {
  const file = await untilThere(config, logger, signal, startupWaitMs);
  if (file === null) return null;
  let lock: RelayLock | null = null;
  try {
    lock = await untilLocked(file, logger, signal, standby);
    if (lock === null) {
      file.close();
      return null;
    }
    const { outcome } = await migrate(file, config.tables);
    const fileId = await fileIdOf(file, config.tables);
    await endLeases({ file, tables: config.tables });
    logger.info({ file: file.path, fileId, tables: outcome }, 'database file opened');
    const held = lock;
    const close = () => {
      file.close();
      held.release();
    };
    return { file, fileId, close };
  } catch (thrown) {
    file.close();
    lock?.release();
    throw thrown;
  }
}

async function untilThere(
  config: Config,
  logger: Logger,
  signal: AbortSignal,
  waitMs: number,
): Promise<SqliteFile | null> {
  const options = { path: config.sqlite?.path ?? '', busyDeadlineMs: config.db.readTimeoutMs };
  const deadlineMs = systemClock.nowMs() + waitMs;
  for (let waited = false; !signal.aborted; waited = true) {
    try {
      return await openSqliteFile(options);
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (error.code !== 'DB_UNREACHABLE' || systemClock.nowMs() >= deadlineMs) throw error;
      if (!waited) logger.warn({ code: error.code, reason: error.message }, 'waiting for the database file');
      await systemClock.sleep(LOOK_EVERY_MS, signal);
    }
  }
  return null;
}

async function untilLocked(
  { path }: SqliteFile,
  logger: Logger,
  signal: AbortSignal,
  standby: Standby,
): Promise<RelayLock | null> {
  for (let waited = false; !signal.aborted; waited = true) {
    const lock = tryRelayLock(path);
    if (lock !== null) return lock;
    if (standby === 'refuse') {
      throw new RelayError('CONFIG_INVALID', `another relay has ${path}: one is enough for a file`);
    }
    if (!waited) logger.info({ event: 'standing-by', file: path }, 'stands by: another relay has the file');
    await systemClock.sleep(LOOK_EVERY_MS, signal);
  }
  return null;
}
