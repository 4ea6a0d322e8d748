/**
 * Finds out how gaps can be settled on this server, by what it does and not by what it calls itself. For mode `transactions` a
 * transaction of ours that owns an id and has no row (its INSERT waits at a lock) must be listed, and not be listed once it has
 * ended. For mode `locks` a read must see a row of ours that is not committed. There are servers that call themselves MySQL 8 and
 * answer such questions with nothing, which would count open transactions as rolled back and lose their rows.
 */
import {
  type Engine,
  errnoOf,
  openSession,
  type Pool,
  quoteIdentifier,
  requireServer,
  rollback,
  type Session,
} from '#database';
import type { GapMode } from '#outbox';
import { asRelayError, RelayError, systemClock } from '#runtime';
import { CANARY_TABLE_DEFAULT } from './canary-table.ts';
import { listerOf } from './list-transactions.ts';
import { readUncommitted } from './read-positions.ts';

export type ServerGapMode = Exclude<GapMode, 'ordered'>;

export interface GapModeOptions {
  readonly pool: Pool;
  /** The setting SOURCE_GAP_MODE. */
  readonly wanted: 'auto' | ServerGapMode;
  readonly canaryTable?: string;
}

export interface GapModeProof {
  readonly mode: ServerGapMode;
  /** One line for the log, `doctor` and `status`. */
  readonly reason: string;
  /** The statement that makes a better mode possible; null when there is none. */
  readonly betterBy: string | null;
  /** Above 1 every second id or more is never used. */
  readonly autoIncrementIncrement: number;
  readonly autoIncrementOffset: number;
  /** 2 is interleaved: bulk inserts take their ids row by row; null where the server has no such setting. */
  readonly autoincLockMode: number | null;
  /** The longest that a statement waits for one lock, in milliseconds; null where the server does not say. */
  readonly lockWaitMs: number | null;
}

interface ServerSettings {
  readonly autoincLockMode: number | null;
  readonly lockWaitMs: number | null;
  /** Why transactions elsewhere do not show here; null when all are here. */
  readonly multiPrimary: string | null;
}

interface Obstacle {
  readonly why: string;
  readonly betterBy: string | null;
}

/** ER_NO_SUCH_TABLE; ER_TABLEACCESS_DENIED_ERROR. */
const NO_SUCH_TABLE = 1146;
const TABLE_ACCESS_DENIED = 1142;
/** ER_SPECIFIC_ACCESS_DENIED_ERROR: PROCESS is missing. */
const PRIVILEGE_MISSING = 1227;
/** ER_LOCK_WAIT_TIMEOUT (MariaDB answers NOWAIT with it) and ER_LOCK_NOWAIT (MySQL 8): somebody else's canary flies. */
const LOCK_ERRNOS: ReadonlySet<number> = new Set([1205, 3572]);
const FLIGHTS_MAX = 20;
const FLIGHT_PAUSE_MS = 50;
const LISTS_MAX = 20;
const NO_FRESH_LIST =
  'the server gives no fresh list of its transactions: stop the program that reads information_schema.innodb_trx more than ten times a second';

/** The server's own: sessions of ours wait for locks for less than the application's. */
async function readSettings(pool: Pool): Promise<ServerSettings> {
  const rows = await pool.query<Record<string, string>>(
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_single_primary_mode', 'innodb_autoinc_lock_mode', 'innodb_lock_wait_timeout', 'read_only')",
  );
  const value = new Map(rows.map((row) => [String(row.Variable_name).toLowerCase(), String(row.Value).toUpperCase()]));
  const status = await pool.query<Record<string, string>>("SHOW GLOBAL STATUS LIKE 'Slaves_running'");
  const replicates = Number(status[0]?.Value ?? 0) > 0 && value.get('read_only') !== 'ON';
  const galera = value.get('wsrep_on') === 'ON';
  const group = value.get('group_replication_single_primary_mode') === 'OFF';
  const numberOf = (name: string) => (value.has(name) ? Number(value.get(name)) : null);
  const waitS = numberOf('innodb_lock_wait_timeout');
  return {
    autoincLockMode: numberOf('innodb_autoinc_lock_mode'),
    lockWaitMs: waitS === null ? null : waitS * 1_000,
    multiPrimary: galera
      ? 'is part of a Galera cluster'
      : group
        ? 'is part of a multi-primary group'
        : replicates
          ? 'takes writes and replicates from another server'
          : null,
  };
}

/**
 * A fault of the moment says nothing of the server: to take it for an answer would give up rows that a better mode keeps. Errors that
 * nobody knows are answers only of engines that are not known either.
 */
function isPassing(thrown: unknown, { kind }: Engine): boolean {
  const { code, verdict } = asRelayError(thrown);
  const errno = errnoOf(thrown);
  if (verdict !== 'retry' || code === 'DB_REFUSED' || (errno !== null && LOCK_ERRNOS.has(errno))) return false;
  return code !== 'DB_UNKNOWN' || kind === 'mariadb' || kind === 'mysql';
}

/** Runs a flight on the canary table; null when it proves the mode, else why not. */
async function fly(
  engine: Engine,
  table: string,
  flight: (name: string) => Promise<string | null>,
): Promise<Obstacle | null> {
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const why = await flight(quoteIdentifier(table));
        return why === null ? null : { why, betterBy: null };
      } catch (thrown) {
        const errno = errnoOf(thrown);
        if (errno === null || !LOCK_ERRNOS.has(errno) || attempt === FLIGHTS_MAX) throw thrown;
        await systemClock.sleep(FLIGHT_PAUSE_MS * (1 + Math.random()));
      }
    }
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === NO_SUCH_TABLE) return { why: `the canary table ${table} is missing: run init`, betterBy: null };
    if (errno === TABLE_ACCESS_DENIED) {
      return { why: `this user may not read and insert into the canary table ${table}`, betterBy: null };
    }
    if (errno === null || isPassing(thrown, engine)) throw asRelayError(thrown);
    return { why: `the server answered the canary with error ${errno}`, betterBy: null };
  }
}

/** During a fail-over they could be on two servers, which show nothing of each other. */
async function requireSameServer(pool: Pool, ...sessions: readonly Session[]): Promise<void> {
  const server = await pool.server();
  for (const session of sessions) requireServer(session, server);
}

/** A transaction whose INSERT waits owns an id and has no row: the list must show it, for as long as it lasts. */
async function flyWithoutRow(pool: Pool, name: string): Promise<string | null> {
  const guard = await openSession(pool.options);
  const owner = await openSession(pool.options);
  try {
    await requireSameServer(pool, guard, owner);
    await guard.run('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await guard.run('START TRANSACTION');
    await guard.query(`SELECT id FROM ${name} WHERE id > 0 FOR UPDATE NOWAIT`);
    await owner.run('START TRANSACTION');
    const [row] = await owner.query<{ id: string | number }>('SELECT CONNECTION_ID() AS id');
    const connection = String(row?.id);
    const inserting = owner.run(`INSERT INTO ${name} () VALUES ()`);
    inserting.catch(() => undefined);
    const listed = await isListed(pool, connection, true);
    await rollback(guard);
    if (listed !== null) {
      // It may have waited for too long meanwhile, which is no reason to fly again.
      await inserting.catch(() => undefined);
      return listed;
    }
    await inserting;
    await rollback(owner);
    return await isListed(pool, connection, false);
  } finally {
    await Promise.all([guard.close(), owner.close()]);
  }
}

/** Null when the connection's transaction comes to be listed, or not to be. */
async function isListed(pool: Pool, connection: string, wanted: boolean): Promise<string | null> {
  for (let attempt = 0; attempt < LISTS_MAX; attempt += 1) {
    const list = await listerOf(pool, systemClock).list();
    if (list === null) return NO_FRESH_LIST;
    if (list.transactions.some((each) => each.connection === connection) === wanted) return null;
  }
  const seen = wanted ? 'is not listed' : 'is still listed after its end';
  return `a transaction that owns an id and has no row ${seen}`;
}

/** A row of an open transaction must be seen, and not be seen once rolled back. */
async function flyUncommitted(pool: Pool, name: string): Promise<string | null> {
  const owner: Session = await openSession(pool.options);
  try {
    await requireSameServer(pool, owner);
    await owner.run('START TRANSACTION');
    await owner.run(`INSERT INTO ${name} () VALUES ()`);
    const [row] = await owner.query<{ id: string | number }>('SELECT LAST_INSERT_ID() AS id');
    const id = BigInt(row?.id ?? 0);
    const look = () => readUncommitted(pool, { from: `FROM ${name}`, column: '`id`' }, [{ from: id, to: id }], 1);
    const whileOpen = await look();
    await rollback(owner);
    if (whileOpen.length === 0) return 'a row of an open transaction cannot be seen';
    return (await look()).length === 0 ? null : 'a row that was rolled back can still be seen';
  } finally {
    await owner.close();
  }
}

/** Without PROCESS a list is refused; the statement that grants it is told. */
async function findGrant(pool: Pool, engine: Engine): Promise<Obstacle | null> {
  try {
    await pool.query('SELECT trx_id FROM information_schema.innodb_trx LIMIT 1');
    return null;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === null || isPassing(thrown, engine)) throw thrown;
    if (errno !== PRIVILEGE_MISSING)
      return { why: `the server lists no transactions (error ${errno})`, betterBy: null };
    const [row] = await pool.query<{ user: string }>('SELECT CURRENT_USER() AS user');
    const [user, host] = [row?.user.split('@').slice(0, -1).join('@'), row?.user.split('@').at(-1)];
    return {
      why: 'this user has no PROCESS privilege, so that it may not list the running transactions',
      betterBy: `GRANT PROCESS ON *.* TO '${user?.replaceAll("'", "''")}'@'${host?.replaceAll("'", "''")}'`,
    };
  }
}

async function findObstacles(
  pool: Pool,
  engine: Engine,
  { multiPrimary }: ServerSettings,
  table: string,
): Promise<{ readonly transactions: Obstacle | null; readonly locks: Obstacle | null }> {
  const { kind, name } = engine;
  const both = (why: string) => ({ transactions: { why, betterBy: null }, locks: { why, betterBy: null } });
  if (kind === 'singlestore' || kind === 'tidb') {
    return both(`${name} does not hand out ids and lock rows as InnoDB does`);
  }
  if (multiPrimary !== null) return both(`this server ${multiPrimary}: transactions of other servers do not show here`);
  const transactions =
    (await findGrant(pool, engine)) ?? (await fly(engine, table, (name) => flyWithoutRow(pool, name)));
  if (transactions === null) return { transactions, locks: null };
  return { transactions, locks: await fly(engine, table, (name) => flyUncommitted(pool, name)) };
}

/**
 * Rejects with DB_UNSUPPORTED when a mode is wanted that cannot be proven, and with the database's own fault when the server could
 * not be asked.
 */
export async function proveGapMode(options: GapModeOptions): Promise<GapModeProof> {
  const { pool, wanted } = options;
  const engine = await pool.engine();
  const foreign = engine.kind === 'singlestore' || engine.kind === 'tidb';
  const settings = foreign ? { autoincLockMode: null, lockWaitMs: null, multiPrimary: null } : await readSettings(pool);
  const facts = {
    autoIncrementIncrement: engine.autoIncrementIncrement,
    autoIncrementOffset: engine.autoIncrementOffset,
    autoincLockMode: settings.autoincLockMode,
    lockWaitMs: settings.lockWaitMs,
  };
  if (wanted === 'time') return { mode: 'time', reason: 'set by SOURCE_GAP_MODE', betterBy: null, ...facts };
  const { transactions, locks } = await findObstacles(
    pool,
    engine,
    settings,
    options.canaryTable ?? CANARY_TABLE_DEFAULT,
  );
  const proven = `proven on ${engine.name}`;
  const refuse = (mode: string, { why, betterBy }: Obstacle) => {
    const better = betterBy === null ? 'use auto' : `run ${betterBy}, or use auto`;
    throw new RelayError('DB_UNSUPPORTED', `gap mode ${mode} cannot be relied on: ${why}; ${better}`);
  };
  // Not a lesser mode: rows go on, and gaps stay open until somebody lets the server renew its list.
  const isKnown = engine.kind === 'mariadb' || engine.kind === 'mysql';
  if (transactions?.why === NO_FRESH_LIST && isKnown && wanted !== 'locks') {
    return { mode: 'transactions', reason: `not proven, ${NO_FRESH_LIST}`, betterBy: null, ...facts };
  }
  if (wanted === 'transactions' && transactions !== null) refuse(wanted, transactions);
  if (wanted === 'locks' && locks !== null) refuse(wanted, locks);
  if (transactions === null && wanted !== 'locks') {
    return { mode: 'transactions', reason: proven, betterBy: null, ...facts };
  }
  if (locks === null) {
    const reason = transactions === null ? `set by SOURCE_GAP_MODE, ${proven}` : transactions.why;
    return { mode: 'locks', reason, betterBy: transactions?.betterBy ?? null, ...facts };
  }
  return { mode: 'time', reason: locks.why, betterBy: transactions?.betterBy ?? null, ...facts };
}
