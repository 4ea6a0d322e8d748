/** Rows under their headings, aligned: numbers to the right, everything else to the left. */

export type Cell = string | number | bigint | null;

const GAP = '  ';
const NOTHING = '-';

/** Keys and messages of strangers could steer the terminal. */
const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

/** Lines of a table; only the heading when there are no rows. */
export function renderTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): readonly string[] {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? NOTHING : plain(String(cell)))));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const right = headings.map((_, column) => {
    const cells = rows.map((row) => row[column]).filter((cell) => cell !== null);
    return cells.length > 0 && cells.every((cell) => typeof cell === 'number' || typeof cell === 'bigint');
  });
  const line = (cells: readonly string[]) =>
    cells
      .map((text, column) => (right[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)))
      .join(GAP)
      .trimEnd();
  return [line(headings), ...texts.map(line)];
}

/** `3.5 s`, `12 min`, `2.1 h`, `4.0 days`: short enough for a table. */
export function showDuration(ms: number | null): string {
  if (ms === null) return NOTHING;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} days`;
}

/** JSON for `--json`: 64-bit integers keep all their digits, as text. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each), 2);
}
