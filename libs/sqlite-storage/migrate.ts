/** Makes the tables in the file, tells the file's id, and checks at start that the tables are what we expect. */

import { randomBytes } from 'node:crypto';
import type { OutboxTables } from '#outbox';
import { RelayError } from '#runtime';
import { SCHEMA_VERSION, schemaStatements } from './schema.ts';
import type { SqliteFile, SqliteStatements } from './sqlite-file.ts';
import { fileTable, quoteTables } from './tables.ts';

export interface MigrateResult {
  readonly outcome: 'created' | 'already there';
  readonly to: number;
}

const FILE_ID_BYTES = 6;

/** The statements of `migrate`, each ending in a semicolon. */
export function initSql(tables: OutboxTables): string {
  return schemaStatements(quoteTables(tables))
    .map((statement) => `${statement};\n`)
    .join('\n');
}

/** Idempotent; one transaction. Throws DB_UNSUPPORTED when a newer version made the tables. */
export function migrate(file: SqliteFile, tables: OutboxTables): Promise<MigrateResult> {
  return file.write((sql) => {
    const from = versionOn(sql, tables);
    if (from === SCHEMA_VERSION) return { outcome: 'already there', to: SCHEMA_VERSION };
    const quoted = quoteTables(tables);
    for (const statement of schemaStatements(quoted)) sql.run(statement);
    const id = randomBytes(FILE_ID_BYTES).toString('hex');
    sql.run(`INSERT INTO ${quoted.file} (file_id, schema_version) VALUES (?, ?)`, id, SCHEMA_VERSION);
    return { outcome: 'created', to: SCHEMA_VERSION };
  });
}

/**
 * Drawn when the tables were made, and part of the marker group's name: a file made anew under an old path starts with
 * markers of its own, and many files share one Kafka. Throws DB_SCHEMA when `init` has not been run, DB_UNSUPPORTED for
 * tables of a newer version.
 */
export function fileIdOf(file: SqliteFile, tables: OutboxTables): Promise<string> {
  return file.read((sql) => {
    if (versionOn(sql, tables) === 0) {
      throw new RelayError('DB_SCHEMA', `the relay's tables are not in ${file.path}: run init first`);
    }
    const row = sql.get<{ file_id: string }>(`SELECT file_id FROM ${quoteTables(tables).file}`);
    return row?.file_id ?? '';
  });
}

/** 0 when the tables are not there. */
function versionOn(sql: SqliteStatements, tables: OutboxTables): number {
  const there = sql.get(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
    fileTable(tables),
  );
  if (there === undefined) return 0;
  const row = sql.get<{ schema_version: number }>(`SELECT schema_version FROM ${quoteTables(tables).file}`);
  const version = row?.schema_version ?? 0;
  if (version > SCHEMA_VERSION) {
    throw new RelayError('DB_UNSUPPORTED', `the tables have schema ${version}, this version knows ${SCHEMA_VERSION}`);
  }
  if (version < SCHEMA_VERSION) {
    const found = `the relay's tables in the file have schema ${version}, this version needs ${SCHEMA_VERSION}`;
    throw new RelayError('DB_SCHEMA', `${found}: drop the tables of the unreleased version and run init`);
  }
  return version;
}
