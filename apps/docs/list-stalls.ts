/** The causes of stalls as a table, from the catalogue that everything which tells of them uses. */
import { STALL_CAUSES } from '#runtime';

export function stallsTable(): string {
  const rows = Object.entries(STALL_CAUSES).map(
    ([cause, { says, todo, from }]) => `| \`${cause}\` | ${says} | ${from} | ${todo} |`,
  );
  return ['| Cause | What it is | Known from | What to do |', '|---|---|---|---|', ...rows].join('\n');
}
