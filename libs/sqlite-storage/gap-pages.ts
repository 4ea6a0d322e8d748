/** The gap table: a row for each page of open gaps. In SQLite gaps never open; the table is there so that both stores are alike. */
import type { GapChanges, StoredGapPage } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import { NOW, type QuotedTables } from './tables.ts';

interface GapColumns {
  readonly page: string;
  readonly first_position: string;
  readonly last_position: string;
  readonly missing: string;
  readonly ranges: number;
  readonly detail: string;
  readonly age: number;
}

/** Within the append's transaction, after its compare-and-set. */
export function writeGaps(
  sql: SqliteStatements,
  { gap }: QuotedTables,
  source: string,
  { put, drop }: GapChanges,
): void {
  const remove = `DELETE FROM ${gap} WHERE source = ? AND page = ?`;
  for (const page of drop) sql.run(remove, source, page.toString());
  const columns = ['first_position', 'last_position', 'missing', 'ranges', 'detail'];
  const write = `INSERT INTO ${gap} (source, page, ${columns.join(', ')}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, page) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  for (const { page, first, last, missing, ranges, detail } of put) {
    sql.run(write, source, page.toString(), first.toString(), last.toString(), missing.toString(), ranges, detail);
  }
}

/** Ascending. */
export function readGaps(sql: SqliteStatements, { gap }: QuotedTables, source: string): readonly StoredGapPage[] {
  const select = `SELECT page, first_position, last_position, missing, ranges, detail, ${NOW} - opened_at AS age FROM ${gap} WHERE source = ?`;
  return sql
    .all<GapColumns>(select, source)
    .map((row) => ({
      page: BigInt(row.page),
      first: BigInt(row.first_position),
      last: BigInt(row.last_position),
      missing: BigInt(row.missing),
      ranges: row.ranges,
      detail: row.detail,
      ageMs: Math.max(0, row.age),
    }))
    .sort((a, b) => (a.page < b.page ? -1 : 1));
}
