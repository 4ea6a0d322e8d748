/** Reads the sample of a source's moved rows, and the rows that are now where an older sample was taken. */
import type { BatchLimits, PositionRange, SourceReader, SourceRow, TableSample } from './ports.ts';
import { compareSample, NEWEST_ROWS, OLDEST_ROWS, type SampleVerdict, takeSample } from './table-sample.ts';

/** Below any position, which has 64 bits, signed or not. */
export const LOWEST_POSITION = -(2n ** 63n);
/** One read of a sample holds no more; of larger rows there are fewer in it. */
const BYTES_MAX = 1024 * 1024;
const limitsOf = (rowsMax: number): BatchLimits => ({ rowsMax, bytesMax: BYTES_MAX });
/** Ids may be handed out some way apart: the newest rows are looked for so far below the position, for each of them. */
const IDS_PER_ROW = 16;

interface HasGaps {
  has(position: bigint): boolean;
}

/** Rows at or below the position, but for those in gaps: the lowest few, and those just below it. */
export async function readSample(reader: SourceReader, position: bigint, gaps: HasGaps): Promise<TableSample> {
  const reach = NEWEST_ROWS * IDS_PER_ROW;
  const { oldest, newest } = await reader.inSnapshot(async (snapshot) => {
    const lowest = await snapshot.readRanges([{ from: LOWEST_POSITION, to: position }], limitsOf(OLDEST_ROWS));
    const positions = await snapshot.committedIn([{ from: position - BigInt(reach), to: position }], reach + 1);
    const [first] = positions.slice(-NEWEST_ROWS);
    const highest =
      first === undefined ? null : await snapshot.readRanges([{ from: first, to: position }], limitsOf(NEWEST_ROWS));
    return { oldest: lowest.rows, newest: highest?.rows ?? [] };
  });
  const all = new Map([...oldest, ...newest].map((row) => [row.position, row]));
  const moved = [...all.values()].filter((row) => !gaps.has(row.position));
  moved.sort((a, b) => (a.position < b.position ? -1 : 1));
  const names = reader.columns?.map(({ name }) => name) ?? [];
  return takeSample(
    moved,
    names.filter((name) => !moved.every((row) => holdsPosition(row, name))),
  );
}

/** The id is the same in every row of its position, and tells nothing. */
function holdsPosition({ position, value }: SourceRow, name: string): boolean {
  const member = `${JSON.stringify(name)}:${position}`;
  return value !== null && (value.includes(`${member},`) || value.includes(`${member}}`));
}

/** What has become of the sampled rows, in their order. */
export async function lookAtSample(reader: SourceReader, sample: TableSample): Promise<readonly SampleVerdict[]> {
  if (sample.rows.length === 0) return [];
  const ranges: PositionRange[] = [];
  for (const { position } of sample.rows) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to + 1n === position) ranges[ranges.length - 1] = { from: last.from, to: position };
    else ranges.push({ from: position, to: position });
  }
  const batch = await reader.inSnapshot((snapshot) => snapshot.readRanges(ranges, limitsOf(sample.rows.length)));
  const verdicts = compareSample(sample, batch.rows);
  const last = batch.rows.at(-1)?.position;
  if (!batch.full || last === undefined) return verdicts;
  // Rows that have grown: what was not read any more says nothing.
  return verdicts.map((verdict, at) => ((sample.rows[at]?.position ?? last) > last ? 'unclear' : verdict));
}
