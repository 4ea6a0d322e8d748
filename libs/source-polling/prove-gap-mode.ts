/**
 * Finds out whether the lock probe can be trusted on this server: a row of ours in an open transaction must answer the probe
 * with a lock error, and with nothing once rolled back. There are servers that call themselves MySQL 8 and answer every
 * locking read at once, with nothing, which would count open transactions as rolled back and lose their rows.
 */
import { type Engine, errnoOf, openSession, type Pool, quoteIdentifier, rollback } from '#database';
import type { GapMode, ProbeOutcome } from '#outbox';
import { asRelayError, RelayError } from '#runtime';
import { CANARY_TABLE_DEFAULT } from './canary-table.ts';
import { probeRanges } from './probe-ranges.ts';

export interface GapModeOptions {
  readonly pool: Pool;
  /** The setting SOURCE_GAP_MODE. */
  readonly wanted: 'auto' | GapMode;
  readonly canaryTable?: string;
}

export interface GapModeProof {
  readonly mode: GapMode;
  /** One line for the log, `doctor` and `status`. */
  readonly reason: string;
  /** Above 1 every second id or more is never used: gaps are the rule, and each costs a probe. */
  readonly autoIncrementIncrement: number;
  readonly autoIncrementOffset: number;
  /** 2 is interleaved: bulk inserts take their ids row by row; null where the server has no such setting. */
  readonly autoincLockMode: number | null;
}

interface ServerSettings {
  readonly autoincLockMode: number | null;
  /** Why locks here say nothing of transactions elsewhere; null when they do. */
  readonly multiPrimary: string | null;
}

/** ER_NO_SUCH_TABLE; ER_TABLEACCESS_DENIED_ERROR. */
const NO_SUCH_TABLE = 1146;
const TABLE_ACCESS_DENIED = 1142;
/** A neighbour's canary next to ours can look locked for a moment. */
const ROLLBACK_PROBES_MAX = 5;

async function readSettings(pool: Pool): Promise<ServerSettings> {
  const rows = await pool.query<Record<string, string>>(
    "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_single_primary_mode', 'innodb_autoinc_lock_mode')",
  );
  const value = new Map(rows.map((row) => [String(row.Variable_name).toLowerCase(), String(row.Value).toUpperCase()]));
  const lockMode = value.get('innodb_autoinc_lock_mode');
  const galera = value.get('wsrep_on') === 'ON';
  const group = value.get('group_replication_single_primary_mode') === 'OFF';
  const multiPrimary = galera ? 'a Galera cluster' : group ? 'a multi-primary group' : null;
  return { autoincLockMode: lockMode === undefined ? null : Number(lockMode), multiPrimary };
}

/** Null when proven, else why not. */
async function flyCanary(pool: Pool, engine: Engine, table: string): Promise<string | null> {
  const name = quoteIdentifier(table);
  // A session of its own: the open transaction must not take the last place of a small pool away from the probe.
  const holder = await openSession(pool.options);
  try {
    await holder.run('START TRANSACTION');
    await holder.run(`INSERT INTO ${name} () VALUES ()`);
    const [row] = await holder.query<{ id: string | number }>('SELECT LAST_INSERT_ID() AS id');
    const id = BigInt(row?.id ?? 0);
    const probe = (): Promise<ProbeOutcome> =>
      probeRanges(pool, engine.kind, { from: `FROM ${name} FORCE INDEX (PRIMARY)`, column: '`id`' }, [
        { from: id, to: id },
      ]);
    const whileOpen = await probe();
    await rollback(holder);
    if (whileOpen !== 'locked') return `a row in an open transaction answered the lock probe with "${whileOpen}"`;
    for (let attempt = 1; attempt <= ROLLBACK_PROBES_MAX; attempt += 1) {
      if ((await probe()) === 'empty') return null;
    }
    return 'a row rolled back still answered the lock probe as locked';
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === NO_SUCH_TABLE) return `the canary table ${table} is missing: run init`;
    if (errno === TABLE_ACCESS_DENIED) return `this user may not insert into the canary table ${table}`;
    throw asRelayError(thrown);
  } finally {
    await holder.close();
  }
}

async function findObstacle(
  pool: Pool,
  engine: Engine,
  settings: ServerSettings,
  table: string,
): Promise<string | null> {
  if (engine.kind !== 'mariadb' && engine.kind !== 'mysql') {
    return `${engine.kind} ${engine.version} is not known to lock rows as InnoDB does`;
  }
  if (settings.multiPrimary !== null) {
    return `this server is part of ${settings.multiPrimary}, whose other nodes' open transactions hold no locks here`;
  }
  return flyCanary(pool, engine, table);
}

/**
 * Rejects with DB_UNSUPPORTED when `locks` is wanted and cannot be proven, and with the database's own fault when the
 * server could not be asked.
 */
export async function proveGapMode(options: GapModeOptions): Promise<GapModeProof> {
  const { pool, wanted } = options;
  const engine = await pool.engine();
  const innodb = engine.kind === 'mariadb' || engine.kind === 'mysql';
  const settings = innodb ? await readSettings(pool) : { autoincLockMode: null, multiPrimary: null };
  const facts = {
    autoIncrementIncrement: engine.autoIncrementIncrement,
    autoIncrementOffset: engine.autoIncrementOffset,
    autoincLockMode: settings.autoincLockMode,
  };
  if (wanted === 'time') return { mode: 'time', reason: 'set by SOURCE_GAP_MODE', ...facts };
  const obstacle = await findObstacle(pool, engine, settings, options.canaryTable ?? CANARY_TABLE_DEFAULT);
  if (obstacle === null) {
    return { mode: 'locks', reason: `proven on ${engine.kind} ${engine.version}`, ...facts };
  }
  if (wanted === 'locks') {
    throw new RelayError('DB_UNSUPPORTED', `gap mode locks cannot be relied on: ${obstacle}; use auto or time`);
  }
  return { mode: 'time', reason: obstacle, ...facts };
}
