/** Makes the tables, prints the statements, and checks at start that they are what we expect. */

import type { EngineKind, Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { RelayError } from '#runtime';
import { SCHEMA_VERSION, schemaStatements, versionIn } from './schema.ts';
import { quoteTables } from './tables.ts';

export interface MigrateResult {
  readonly outcome: 'created' | 'already there';
  readonly from: number;
  readonly to: number;
}

/** The statements of `migrate` on an empty database, each ending in a semicolon. */
export function initSql(tables: OutboxTables, kind: EngineKind = 'mariadb'): string {
  const statements = schemaStatements(quoteTables(tables), kind);
  return statements.map((statement) => `${statement};\n`).join('\n');
}

/**
 * Idempotent; two at once do no harm. Throws DB_SCHEMA when a table of the watermark's name is somebody else's,
 * DB_UNSUPPORTED when a newer version made the tables, DB_REFUSED without the right to create tables.
 */
export async function migrate(pool: Pool, tables: OutboxTables): Promise<MigrateResult> {
  const from = await schemaVersion(pool, tables);
  if (from === SCHEMA_VERSION) return { outcome: 'already there', from, to: from };
  if (from > 0) refuseOther(from, tables);
  await pool.use(async (session) => {
    for (const statement of schemaStatements(quoteTables(tables), session.engine.kind)) await session.run(statement);
  });
  return { outcome: 'created', from, to: SCHEMA_VERSION };
}

/** For every process at start. Throws DB_SCHEMA when `init` has not been run or is due again, DB_UNSUPPORTED for a newer schema. */
export async function checkSchema(pool: Pool, tables: OutboxTables): Promise<void> {
  const version = await schemaVersion(pool, tables);
  if (version === 0) {
    throw new RelayError('DB_SCHEMA', `the table ${tables.watermark} does not exist: run init first`);
  }
  if (version !== SCHEMA_VERSION) refuseOther(version, tables);
}

/** 0 when the watermark table does not exist. Throws DB_SCHEMA when it is none of ours. */
export async function schemaVersion(pool: Pool, tables: OutboxTables): Promise<number> {
  const [row] = await pool.query<{ comment: string }>(
    'SELECT TABLE_COMMENT AS comment FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
    [tables.watermark],
  );
  if (!row) return 0;
  const version = versionIn(row.comment);
  if (version !== null) return version;
  throw new RelayError('DB_SCHEMA', `the table ${tables.watermark} exists and was not made by this program's init`);
}

/** Nothing was released before schema 4, so that there is no way up from older tables. */
function refuseOther(version: number, { watermark }: OutboxTables): never {
  const found = `the table ${watermark} has schema ${version}, this version needs ${SCHEMA_VERSION}`;
  if (version > SCHEMA_VERSION) throw new RelayError('DB_UNSUPPORTED', found);
  throw new RelayError('DB_SCHEMA', `${found}: drop the tables of the unreleased version and run init`);
}
