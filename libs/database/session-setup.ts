/** The statements that make a fresh connection one of ours, by engine. */
import type { EngineKind } from './engine.ts';

/** Our own waits on a lock are short: a long one is somebody's stuck transaction, and we come again. */
export const LOCK_WAIT_SECONDS = 5;

/**
 * A paused or cut-off process of ours must not keep its row locks for hours: the server ends a connection that rests inside
 * a transaction this long. MySQL has no such limit; there the limit on any rest stands in for it, and the pool reconnects.
 */
const TRANSACTION_IDLE_SECONDS = 5;
const CONNECTION_IDLE_SECONDS = 20;

/**
 * A server may ignore the character set that the driver names as it logs in (--skip-character-set-client-handshake), or change it
 * after (init_connect). Texts of prepared statements and all answers would then be in another one.
 */
const NAMES = 'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci';

const STRICT_MODE = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/**
 * READ COMMITTED because deletes under REPEATABLE READ deadlocked with the writer's inserts; the sql_mode is set whole, so that
 * neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES of the server's configuration can change how our statements are read.
 */
export function setupStatements(kind: EngineKind): readonly string[] {
  const common = [NAMES, 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'];
  const settings = `SET SESSION autocommit = 1, sql_mode = '${STRICT_MODE}', time_zone = '+00:00'`;
  const lockWait = `innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`;
  switch (kind) {
    case 'mariadb':
      return [...common, `${settings}, ${lockWait}, idle_transaction_timeout = ${TRANSACTION_IDLE_SECONDS}`];
    case 'mysql':
      return [...common, `${settings}, ${lockWait}, wait_timeout = ${CONNECTION_IDLE_SECONDS}`];
    case 'tidb':
      return [...common, `${settings}, ${lockWait}`];
    case 'singlestore':
      // It is READ COMMITTED by nature, and does not know innodb_lock_wait_timeout; setting time_zone does nothing there.
      return [NAMES, "SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'"];
    case 'unknown':
      return [...common, settings];
  }
}
