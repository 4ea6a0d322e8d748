/** Names for SQL text of SQLite. SQLite takes any text as a name, so a name is only quoted, never narrowed. */
import { RelayError } from '#runtime';

/** SQLite has no bound of its own. */
const LENGTH_MAX = 1_000;

/**
 * The name in double quotes, a double quote in it doubled. A dot belongs to the name. Throws CONFIG_INVALID for what cannot
 * reach SQLite as it is: an empty or very long text, a NUL character, half of a surrogate pair.
 */
export function quoteSqliteName(name: string): string {
  if (name !== '' && name.length <= LENGTH_MAX && !name.includes('\0') && name.isWellFormed())
    return quoteKnownName(name);
  const shown = name.slice(0, 130).replaceAll('\0', '\\0');
  throw new RelayError(
    'CONFIG_INVALID',
    `"${shown}" is no name for an SQLite table: give 1 to ${LENGTH_MAX} characters, without NUL`,
  );
}

/** For a name that the database itself has told, the empty one included. */
export const quoteKnownName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** SQLite compares names without the case of the letters A to Z; of all other letters the case counts. */
export const foldSqliteName = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
