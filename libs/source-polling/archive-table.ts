/**
 * Mode `consume`: the table that keeps rows moved, in partitions by day. Old days are dropped as partitions, which costs no
 * more for a million rows than for one. A last partition without a bound takes every row, so that moving never fails for a
 * day that nobody has made; days are cut off it ahead of time, while it is empty and that costs nothing.
 */
import { type Pool, quoteIdentifier, textLiteral } from '#database';
import { RelayError } from '#runtime';
import { type TableFacts, whereTable } from './inspect-table.ts';

export interface ArchiveDefinition {
  readonly table: string;
  readonly retentionMs: number;
}

const DAY_MS = 86_400_000;
/** Days made ahead: a writer that stands still over a week-end leaves no day out. */
const DAYS_AHEAD = 4;
const PARTITIONS_MAX = 8_000;
const DAY_PARTITION = /^p(\d{4})(\d{2})(\d{2})$/;

const dayText = (dayMs: number): string => new Date(dayMs).toISOString().slice(0, 10);
const partitionOf = (dayMs: number): string => `p${dayText(dayMs).replaceAll('-', '')}`;
const dayPartition = (dayMs: number): string =>
  `PARTITION ${partitionOf(dayMs)} VALUES LESS THAN (${textLiteral(dayText(dayMs + DAY_MS))})`;
const REST = 'PARTITION pmax VALUES LESS THAN (MAXVALUE)';

/** The columns of the source's table, without its keys: a number may come again there, and the day is part of any key here. */
export function archiveTableSql(archive: string, source: string): string {
  return `CREATE TABLE IF NOT EXISTS ${quoteIdentifier(archive)} (
  archive_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  archived_on DATE NOT NULL DEFAULT (CURRENT_DATE) COMMENT 'UTC',
  PRIMARY KEY (archive_id, archived_on)
) ENGINE=InnoDB PARTITION BY RANGE COLUMNS (archived_on) (${REST})
SELECT * FROM ${quoteIdentifier(source)} WHERE 1 = 0`;
}

/** Every row moved is put there whole: rejects with DB_SCHEMA when the archive is missing, or lacks a column. */
export async function checkArchive(pool: Pool, archive: string, source: TableFacts): Promise<void> {
  const { condition, values } = whereTable(archive);
  const rows = await pool.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns WHERE ${condition}`,
    values,
  );
  if (rows.length === 0) {
    throw new RelayError('DB_SCHEMA', `archive table ${archive} does not exist: run init --event-tables`);
  }
  const there = new Set(rows.map(({ name }) => name.toLowerCase()));
  const missing = source.columns.filter(({ name }) => !there.has(name.toLowerCase())).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new RelayError(
    'DB_SCHEMA',
    `archive table ${archive} lacks ${missing.join(', ')} of ${source.name}: add the same columns there`,
  );
}

export interface ArchiveChange {
  readonly made: readonly string[];
  readonly dropped: readonly string[];
}

/**
 * Makes the days that come and drops those that are past the retention, by the database's clock. Rejects with DB_SCHEMA when
 * the table is not there or has no such partitions, DB_REFUSED without the right to change it.
 */
export async function maintainArchive(pool: Pool, archive: ArchiveDefinition): Promise<ArchiveChange> {
  const { condition, values } = whereTable(archive.table);
  const rows = await pool.query<{ name: string | null; today: string }>(
    `SELECT partition_name AS name, CAST(UTC_DATE() AS CHAR) AS today FROM information_schema.partitions
      WHERE ${condition} LIMIT ${PARTITIONS_MAX}`,
    values,
  );
  const [first] = rows;
  if (first === undefined || !rows.some((row) => row.name === 'pmax')) {
    const what = first === undefined ? 'does not exist' : 'has no partition pmax';
    throw new RelayError('DB_SCHEMA', `archive table ${archive.table} ${what}: run init --event-tables`);
  }
  const days = rows.flatMap((row) => {
    const match = DAY_PARTITION.exec(row.name ?? '');
    return match === null ? [] : [Date.parse(`${match[1]}-${match[2]}-${match[3]}`)];
  });
  const todayMs = Date.parse(first.today);
  const highestMs = Math.max(todayMs - DAY_MS, ...days);
  const coming: number[] = [];
  for (let dayMs = highestMs + DAY_MS; dayMs <= todayMs + DAYS_AHEAD * DAY_MS; dayMs += DAY_MS) coming.push(dayMs);
  const table = quoteIdentifier(archive.table);
  if (coming.length > 0) {
    const parts = [...coming.map(dayPartition), REST].join(', ');
    await pool.run(`ALTER TABLE ${table} REORGANIZE PARTITION pmax INTO (${parts})`);
  }
  const past = days.filter((dayMs) => dayMs + DAY_MS <= todayMs - archive.retentionMs);
  if (past.length > 0) await pool.run(`ALTER TABLE ${table} DROP PARTITION ${past.map(partitionOf).join(', ')}`);
  return { made: coming.map(partitionOf), dropped: past.map(partitionOf) };
}
