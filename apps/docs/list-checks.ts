/** The checks of `doctor` as a table, from the checks themselves. */
import { CHECKS } from '../wiring/doctor/checks.ts';

export function checksTable(): string {
  const rows = CHECKS.map(({ id, title }) => `| \`${id}\` | ${title} |`);
  return ['| Check | What it looks at |', '|---|---|', ...rows].join('\n');
}
