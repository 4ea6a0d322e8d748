/** A table of our own that never keeps a row: the canary inserts into it, looks whether the server shows that, and rolls back. */
import { quoteIdentifier } from '#database';

export const CANARY_TABLE_DEFAULT = 'kafka_row_sender_canary';

/** The statement for the migrations. InnoDB by name: the proof must be about the engine that sources use. */
export function canaryTableSql(name: string = CANARY_TABLE_DEFAULT): string {
  return `CREATE TABLE IF NOT EXISTS ${quoteIdentifier(name)} (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY
) ENGINE = InnoDB COMMENT = 'Stays empty: proves at start that the relay sees open transactions'`;
}
