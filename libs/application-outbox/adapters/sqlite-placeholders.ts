/** Where the values go in our statements for SQLite: a question mark in the table's quoted name is none of these places. */

const QUOTED_OR_PLACEHOLDER = /"(?:[^"]|"")*"|\?/g;

/** The texts between the placeholders, one more than there are. */
export function splitAtPlaceholders(sql: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (const { 0: found, index } of sql.matchAll(QUOTED_OR_PLACEHOLDER)) {
    if (found !== '?') continue;
    parts.push(sql.slice(from, index));
    from = index + 1;
  }
  return [...parts, sql.slice(from)];
}
