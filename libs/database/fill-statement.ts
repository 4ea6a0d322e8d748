/** Puts literals in the place of a statement's placeholders: our sessions' own way, in place of the driver's escaping. */
import { RelayError } from '#runtime';
import { bytesLiteral, numberLiteral, textLiteral } from './sql-literals.ts';
import type { SqlValue } from './sql-value.ts';

/** A name or a text between quotes, in which a question mark is a character; or a placeholder. */
const QUOTED_OR_PLACEHOLDER = /`[^`]*`|'[^']*'|"[^"]*"|\?/g;

/**
 * The statement with a literal for each `?`. An array becomes a list, an array of arrays a list of row values. Throws INTERNAL
 * when there are more or fewer values than placeholders, or for a value of another kind, DB_ROW_REFUSED for a text that has no
 * UTF-8 bytes.
 */
export function fillStatement(sql: string, values: readonly SqlValue[]): string {
  if (values.length === 0) return sql;
  let used = 0;
  const filled = sql.replace(QUOTED_OR_PLACEHOLDER, (found) => {
    if (found !== '?') return found;
    const value = values[used];
    used += 1;
    return literalOf(value, 0);
  });
  if (used === values.length) return filled;
  throw new RelayError('INTERNAL', `a statement has ${used} placeholders for ${values.length} values`);
}

/** Lists of row values are the deepest. */
const DEPTH_MAX = 2;

function literalOf(value: SqlValue | undefined, depth: number): string {
  switch (typeof value) {
    case 'string':
      return textLiteral(value);
    case 'number':
    case 'bigint':
      return numberLiteral(value);
    case 'boolean':
      return value ? 'TRUE' : 'FALSE';
    default:
      if (value === null) return 'NULL';
      if (value instanceof Uint8Array) return bytesLiteral(value);
      if (Array.isArray(value) && value.length > 0 && depth < DEPTH_MAX) return listOf(value, depth + 1);
      throw new RelayError('INTERNAL', 'a value of a statement is missing, an empty list or of no kind that is known');
  }
}

function listOf(values: readonly SqlValue[], depth: number): string {
  const list = values.map((value) => literalOf(value, depth)).join(', ');
  return depth > 1 ? `(${list})` : list;
}
