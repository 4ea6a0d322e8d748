/** The gap table: a row for each page of open gaps, so that an append writes only the pages that it changed. */
import type { Session, SqlValue } from '#database';
import type { GapChanges, GapPage, OutboxTables, StoredGapPage } from '#outbox';
import { listsOf } from './lists-of.ts';

const PAGES_PER_STATEMENT_MAX = 100;
/** Pages read in one statement: some 200 KB. */
const PAGES_PER_READ_MAX = 1_000;
const COLUMNS = 'source, page, first_position, last_position, missing, ranges, detail';

interface GapColumns {
  readonly page: string;
  readonly first_position: string;
  readonly last_position: string;
  readonly missing: string;
  readonly ranges: string | number;
  readonly detail: string;
  readonly age_us: string | number;
}

const toPage = (row: GapColumns): StoredGapPage => ({
  page: BigInt(row.page),
  first: BigInt(row.first_position),
  last: BigInt(row.last_position),
  missing: BigInt(row.missing),
  ranges: Number(row.ranges),
  detail: row.detail,
  ageMs: Math.max(0, Number(row.age_us) / 1_000),
});

/** Within the append's transaction, after its compare-and-set. */
export async function writeGaps(
  session: Session,
  { gap }: OutboxTables,
  source: string,
  { put, drop }: GapChanges,
): Promise<void> {
  for (const some of listsOf(drop, PAGES_PER_STATEMENT_MAX)) {
    const places = some.map(() => '?').join(', ');
    await session.run(`DELETE FROM ${gap} WHERE source = ? AND page IN (${places})`, [source, ...some]);
  }
  for (const some of listsOf(put, PAGES_PER_STATEMENT_MAX)) {
    const places = some.map(() => '(?, ?, ?, ?, ?, ?, ?)').join(', ');
    const update = ['first_position', 'last_position', 'missing', 'ranges', 'detail']
      .map((column) => `${column} = VALUES(${column})`)
      .join(', ');
    await session.run(
      `INSERT INTO ${gap} (${COLUMNS}) VALUES ${places} ON DUPLICATE KEY UPDATE ${update}`,
      some.flatMap((page) => valuesOf(source, page)),
    );
  }
}

const valuesOf = (source: string, { page, first, last, missing, ranges, detail }: GapPage): SqlValue[] => [
  source,
  page,
  first,
  last,
  missing,
  ranges,
  detail,
];

/** Ascending. */
export async function readGaps(session: Session, { gap }: OutboxTables, source: string): Promise<StoredGapPage[]> {
  const pages: StoredGapPage[] = [];
  for (;;) {
    const rows = await session.query<GapColumns>(
      `SELECT page, first_position, last_position, missing, ranges, detail, TIMESTAMPDIFF(MICROSECOND, opened_at, NOW(6)) AS age_us
         FROM ${gap} WHERE source = ? AND page > ? ORDER BY page LIMIT ?`,
      [source, pages.at(-1)?.page ?? -1n, PAGES_PER_READ_MAX],
    );
    pages.push(...rows.map(toPage));
    if (rows.length < PAGES_PER_READ_MAX) return pages;
  }
}
