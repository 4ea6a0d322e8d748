/**
 * A sample of rows moved some time ago, and the question whether a row that is in the table now is one of them. Values are kept as
 * short hashes. Pure.
 */
import { createHash } from 'node:crypto';
import type { SampledRow, SourceRow, TableSample } from './ports.ts';

/** Rows just below the position: where a table was cut is told exactly if it was cut among them. */
export const NEWEST_ROWS = 64;
/** The lowest rows: they tell whether anything is left of the table. */
export const OLDEST_ROWS = 8;
/** Columns looked at in each row. */
const COLUMNS_MAX = 16;
/** A row of which fewer columns are as they were is another one; of more, one that was changed. */
const SAME_SHARE_MIN = 0.5;
const HASH_LENGTH = 6;

/** `same`: as it was. `other`: another row has the id. `gone`: none has. `unclear`: it may have been changed. */
export type SampleVerdict = 'same' | 'other' | 'gone' | 'unclear';

const hashOf = (bytes: string | Buffer): string =>
  createHash('sha256').update(bytes).digest('base64url').slice(0, HASH_LENGTH);

/** Members of the JSON value as texts, numbers with all their digits. Null for a value that is no JSON object. */
function membersOf(value: Buffer | null): ReadonlyMap<string, string> | null {
  if (value === null) return null;
  const exact = (_name: string, one: unknown, context?: { readonly source?: string }): unknown =>
    typeof one === 'number' ? `#${context?.source ?? one}` : one;
  const parsed: unknown = JSON.parse(value.toString('utf8'), exact);
  if (typeof parsed !== 'object' || parsed === null) return null;
  return new Map(Object.entries(parsed).map(([name, one]) => [name, JSON.stringify(one)]));
}

function hashesOf(row: SourceRow, columns: readonly string[]): readonly string[] {
  const members = membersOf(row.value);
  return columns.map((name) => {
    const text = members?.get(name);
    // A NULL says little, and a column that is not there says nothing.
    return text === undefined || text === 'null' ? '-' : hashOf(text);
  });
}

/** `rows` ascending; `columns` without the one that holds the id. */
export function takeSample(rows: readonly SourceRow[], columns: readonly string[]): TableSample {
  const chosen = columns.slice(0, COLUMNS_MAX);
  const sampled = rows.map((row) => ({
    position: row.position,
    key: row.key === null ? null : hashOf(row.key),
    hashes: hashesOf(row, chosen),
  }));
  return { columns: chosen, rows: sampled };
}

/** What has become of each sampled row, in their order. `found`: the rows that are at their positions now. */
export function compareSample(sample: TableSample, found: readonly SourceRow[]): readonly SampleVerdict[] {
  const byPosition = new Map(found.map((row) => [row.position, row]));
  return sample.rows.map((before) => {
    const row = byPosition.get(before.position);
    return row === undefined ? 'gone' : compareRow(before, row, sample.columns);
  });
}

function compareRow(before: SampledRow, row: SourceRow, columns: readonly string[]): SampleVerdict {
  const key = row.key === null ? null : hashOf(row.key);
  if (before.key !== key) return 'other';
  const now = hashesOf(row, columns);
  // Columns that are gone meanwhile are NULL in neither.
  const told = columns.map((_, at) => at).filter((at) => before.hashes[at] !== '-' && now[at] !== '-');
  const nulls = columns.map((_, at) => at).filter((at) => (before.hashes[at] === '-') !== (now[at] === '-'));
  const same = told.filter((at) => before.hashes[at] === now[at]).length;
  if (same === told.length && nulls.length === 0) return told.length === 0 ? 'unclear' : 'same';
  return same / (told.length + nulls.length) < SAME_SHARE_MIN ? 'other' : 'unclear';
}
