/**
 * Does a table hand out its ids once only? SQLite tells that through no statement, so the text of CREATE TABLE is read by
 * SQLite's own rules of what is a text, a quoted name, a comment or a word. AUTOINCREMENT is a reserved word: outside of
 * quotes and comments SQLite accepts it behind PRIMARY KEY alone, and refuses the table otherwise. A test holds both to SQLite.
 */

/** A doubled quote ends one piece and begins the next, which comes to the same. A comment at the end need not be closed. */
const PIECES = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[\w$\u0080-\u{10ffff}]+/gu;

/** `createTable` is the text that SQLite keeps of a table. */
export function hasAutoincrement(createTable: string): boolean {
  return createTable.match(PIECES)?.some((piece) => piece.toUpperCase() === 'AUTOINCREMENT') ?? false;
}
