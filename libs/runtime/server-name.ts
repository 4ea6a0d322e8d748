/** What a MySQL-protocol server takes as the name of a database, table or column, and how such a name becomes part of an id. */

const LENGTH_MAX = 64;

/**
 * Why no such server takes the name, as what to give instead, or null when it does (MySQL manual, "Schema Object Names"). Control
 * characters other than NUL are legal there and not here: a name is part of messages, which are lines.
 */
export function serverNameFault(name: string): string | null {
  if (name === '' || name.length > LENGTH_MAX) return `give a name of 1 to ${LENGTH_MAX} characters`;
  if (/\p{Cc}/u.test(name)) return 'give a name without control characters, such as a tab or a line break';
  if (/[\ud800-\udfff]/.test(name)) {
    return 'give a name without characters above U+FFFF, such as emoji: no server takes them in names';
  }
  return name.endsWith(' ') ? 'give a name without a space at its end: no server takes that' : null;
}

/** A name in backticks, as in SQL, without them; any other text as it is. */
export const unquotedName = (name: string): string =>
  /^`(?:[^`]|``)+`$/.test(name) ? name.slice(1, -1).replaceAll('``', '`') : name;

/** Kept as they are: none of them separates the parts of an id, and `%` begins the others. */
const KEPT = /[A-Za-z0-9_$-]/;

/**
 * A name as part of an id, such as a consumer group's or a lock's: letters, digits, `_`, `$` and `-` are kept, every other byte of its
 * UTF-8 becomes `%` and two digits. Two names never become the same text, and a dot or a bar in a name separates nothing.
 */
export function nameInId(name: string): string {
  if (/^[A-Za-z0-9_$-]*$/.test(name)) return name;
  return Array.from(Buffer.from(name, 'utf8'), (byte) => {
    const letter = String.fromCharCode(byte);
    return KEPT.test(letter) ? letter : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }).join('');
}
