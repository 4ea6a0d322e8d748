/** How the server is set up where the guarantees depend on it. Changes nothing; what we may not see is null. */
import type { Clock } from '#runtime';
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { Engine } from './engine.ts';
import type { Pool } from './pool.ts';
import type { Session } from './session.ts';

export interface OpenTransaction {
  /** For KILL; null: a prepared XA transaction whose connection has gone. */
  readonly thread: string | null;
  readonly ageMs: number;
}

export interface ServerFacts {
  readonly engine: Engine;
  /** Of a session of ours, by lower-case name; those the server knows. */
  readonly variables: ReadonlyMap<string, string>;
  /** Versions of rows that purge has not caught up with. */
  readonly historyLength: number | null;
  /** Whether we may look at everybody's open transactions. */
  readonly seesTransactions: boolean;
  readonly oldestTransaction: OpenTransaction | null;
  /** Wall clock of the server less ours, in milliseconds, with the error it may have. */
  readonly clockAheadMs: { readonly value: number; readonly error: number };
}

const VARIABLES: readonly string[] = [
  'auto_increment_increment',
  'auto_increment_offset',
  'binlog_format',
  'innodb_autoinc_lock_mode',
  'innodb_flush_log_at_trx_commit',
  'innodb_read_only',
  'log_bin',
  'max_allowed_packet',
  'read_only',
  'super_read_only',
  'sync_binlog',
  'transaction_isolation',
  'tx_isolation',
  'wsrep_on',
];

/** Neither PROCESS nor SUPER; no such table; no such column: another engine, or no right to look. */
const NOT_SEEN: ReadonlySet<number> = new Set([1044, 1054, 1109, 1142, 1143, 1146, 1227]);

/** Null when the server does not know the thing or does not show it to us. */
async function seen<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (thrown) {
    const errno = errnoOf(asDatabaseError(thrown, 'database'));
    if (errno !== null && NOT_SEEN.has(errno)) return null;
    throw thrown;
  }
}

async function readVariables(session: Session): Promise<ReadonlyMap<string, string>> {
  const rows = await session.query<Record<string, string>>('SHOW VARIABLES WHERE Variable_name IN (?)', [VARIABLES]);
  return new Map(rows.map((row) => [String(row.Variable_name).toLowerCase(), String(row.Value)]));
}

/** MariaDB shows it to everybody as a status variable, MySQL as a metric to those with PROCESS. */
async function readHistoryLength(session: Session): Promise<number | null> {
  const [status] = await session.query<Record<string, string>>("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'");
  if (status) return Number(status.Value);
  const metrics = await seen(() =>
    session.query<{ n: string }>(
      "SELECT `COUNT` AS n FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'",
    ),
  );
  return metrics?.[0] ? Number(metrics[0].n) : null;
}

/** `trx_started` is in the server's own time zone, whatever the session's is. */
const OLDEST_TRANSACTION = `SELECT trx_mysql_thread_id AS thread,
    TIMESTAMPDIFF(MICROSECOND, trx_started, CONVERT_TZ(NOW(6), '+00:00', 'SYSTEM')) AS age
  FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 1`;

function toOpen({ thread, age }: { thread: string | number; age: string }): OpenTransaction {
  return { thread: Number(thread) === 0 ? null : String(thread), ageMs: Number(age) / 1_000 };
}

async function readClock(session: Session, clock: Clock): Promise<ServerFacts['clockAheadMs']> {
  const askedAtMs = clock.wallMs();
  const [row] = await session.query<{ now: string }>('SELECT UNIX_TIMESTAMP(NOW(6)) AS now');
  const answeredAtMs = clock.wallMs();
  return {
    value: Number(row?.now ?? 0) * 1_000 - (askedAtMs + answeredAtMs) / 2,
    error: (answeredAtMs - askedAtMs) / 2,
  };
}

export async function inspectServer(pool: Pool, clock: Clock): Promise<ServerFacts> {
  return pool.use(async (session) => {
    // The clock first: a statement before it has warmed the connection, and nothing that takes long has run yet.
    const variables = await readVariables(session);
    const clockAheadMs = await readClock(session, clock);
    const oldest = await seen(() => session.query<{ thread: string | number; age: string }>(OLDEST_TRANSACTION));
    const first = oldest?.[0];
    return {
      engine: session.engine,
      variables,
      historyLength: await readHistoryLength(session),
      seesTransactions: oldest !== null,
      oldestTransaction: first ? toOpen(first) : null,
      clockAheadMs,
    };
  });
}
