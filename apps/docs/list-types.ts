/** Columns and the JSON they become as a table, from the examples that a test writes and reads back on a real server. */
import { TYPE_EXAMPLES } from '#source-polling';

/** Markdown code that may hold anything but backticks; a pipe would end the cell. */
const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

export function typesTable(): string {
  const rows = TYPE_EXAMPLES.map(([column, sql, json]) => `| ${code(column)} | ${code(sql)} | ${code(json)} |`);
  return ['| Column | Value in SQL | In the JSON |', '|---|---|---|', ...rows].join('\n');
}
