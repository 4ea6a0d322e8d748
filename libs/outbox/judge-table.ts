/**
 * Is the table still the one whose rows were moved? TRUNCATE, DROP and CREATE, a restored table, a rename and an exchange of
 * partitions put other rows under ids that the position has passed already, and nobody would ever read them. An ALTER TABLE that
 * rebuilds the table looks alike from outside; then the rows themselves decide. Where nothing decides, the answer is that the
 * table went back: a source that stands still loses nothing.
 */

import type { SourceReader, TableFacts, TableMark } from './ports.ts';
import { lookAtSample } from './read-sample.ts';
import type { SampleVerdict } from './table-sample.ts';

/** Rows of a sample that must have another key before keys alone tell that the table is another one. */
const OTHER_KEYS_MIN = 3;

/** What the marks say: `parts` names what holds other data, '' for the whole table. `certain`: no ALTER TABLE does that. */
export type MarkChange =
  | { readonly kind: 'none' }
  | { readonly kind: 'unseen' }
  /** An ALTER TABLE that left the data where they were; one that lowers AUTO_INCREMENT is among them. */
  | { readonly kind: 'definition' }
  | { readonly kind: 'data'; readonly parts: readonly string[]; readonly certain: boolean };

export function compareMarks(before: TableMark | null, now: TableMark | null): MarkChange {
  if (before === null || now === null) return { kind: 'unseen' };
  const sameDefinition = before.definition !== null && before.definition === now.definition;
  if (before.data === null || now.data === null) {
    return sameDefinition ? { kind: 'unseen' } : { kind: 'data', parts: [''], certain: false };
  }
  const old = before.data;
  const shared = Object.keys(now.data).filter((part) => part in old);
  const changed = shared.filter((part) => old[part] !== now.data?.[part]);
  // A table that was given partitions, or other ones, has none of the old.
  if (shared.length > 0 && changed.length === 0) return { kind: sameDefinition ? 'none' : 'definition' };
  const whole = changed.length === shared.length;
  const certain = sameDefinition && before.definitionStays && before.settled;
  // An ALTER TABLE puts a part of the partitions into a new place only to rebuild them.
  if (!whole && !sameDefinition && now.definitionStays) return { kind: 'none' };
  return { kind: 'data', parts: whole ? [''] : changed, certain };
}

/** Null: still the table that it was, or one whose rows are all above the position. Otherwise what is wrong, for the operator. */
export async function judgeTable(
  reader: SourceReader,
  facts: TableFacts,
  mark: TableMark | null,
  position: bigint,
): Promise<string | null> {
  const change = compareMarks(facts.mark, mark);
  if (change.kind === 'none') return null;
  if (change.kind === 'unseen') return judgeByKeys(reader, facts);
  if (change.kind === 'definition') return judgeByNewest(reader, facts);
  const below = await partsWithRowsBelow(reader, change.parts, position);
  if (below.length === 0) return null;
  const what = change.parts[0] === '' ? 'the table' : `partition ${below.join(', ')}`;
  if (change.certain) return `${what} was emptied or exchanged, and has rows with ids up to ${position} again`;
  const verdicts = facts.sample === null ? [] : await lookAtSample(reader, facts.sample);
  if (change.parts[0] === '' && isRebuilt(verdicts)) return null;
  return `${what} was made anew, exchanged or rebuilt, and the rows do not tell which: those with ids up to ${position} may be new`;
}

const isRebuilt = (verdicts: readonly SampleVerdict[]): boolean =>
  verdicts.includes('same') && !verdicts.includes('other');

/** Rows deleted, AUTO_INCREMENT lowered, and ids past the position again: the highest sampled row that is there is another one. */
async function judgeByNewest(reader: SourceReader, { sample }: TableFacts): Promise<string | null> {
  const there = sample === null ? [] : (await lookAtSample(reader, sample)).filter((verdict) => verdict !== 'gone');
  if (there.at(-1) !== 'other') return null;
  return 'rows that were moved are gone, and others have their ids: the table was emptied or cut, and its AUTO_INCREMENT lowered';
}

async function partsWithRowsBelow(
  reader: SourceReader,
  parts: readonly string[],
  position: bigint,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const part of parts) {
    const lowest = (await reader.lowestIn?.(part)) ?? null;
    if (lowest !== null && lowest <= position) found.push(part);
  }
  return found;
}

/** Where this user may not see whether the data was put elsewhere: keys of rows hardly ever change, and not of all of them. */
async function judgeByKeys(reader: SourceReader, { sample }: TableFacts): Promise<string | null> {
  const keyed = sample?.rows.filter(({ key }) => key !== null) ?? [];
  if (sample === null || keyed.length < OTHER_KEYS_MIN) return null;
  const there = (await lookAtSample(reader, { columns: [], rows: keyed })).filter((verdict) => verdict !== 'gone');
  if (there.length < OTHER_KEYS_MIN || there.some((verdict) => verdict !== 'other')) return null;
  return 'every row looked at has another key than the row of its id that was moved: the table was emptied or made anew';
}

/** Null: ids go on above the position. Otherwise what is wrong. `passed`: the position was once below the next id. */
export async function judgeNextId(
  reader: SourceReader,
  next: bigint | null,
  position: bigint,
  passed: boolean,
): Promise<string | null> {
  if (!passed || (next !== null && next > position)) return null;
  const highest = await reader.highestPosition();
  const gone = 'the table was emptied by TRUNCATE, made anew or restored, or its AUTO_INCREMENT was lowered';
  if (next === null) {
    return highest === null || highest >= position
      ? null
      : `the highest id is ${highest}, rows were moved up to ${position}: ${gone}`;
  }
  // The last id that the column can hold is never followed by another one.
  if (next === position && highest === position) return null;
  return `the next id is ${next}, rows were moved up to ${position}: ${gone}`;
}
