/** The service's own tables, and the outbox table beside them: an order and its event are in one database, so in one transaction. */

import { outboxTableSql } from 'kafka-row-sender/outbox';
import type { Pool } from 'mysql2/promise';

const TABLES = [
  `CREATE TABLE IF NOT EXISTS orders (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer VARCHAR(100) NOT NULL,
    total DECIMAL(12,2) NOT NULL,
    state VARCHAR(20) NOT NULL
  ) ENGINE=InnoDB`,
];

export async function createTables(pool: Pool): Promise<void> {
  for (const sql of [...TABLES, ...outboxTableSql()]) await pool.query(sql);
}
