/** Names for SQL text: in backticks, a backtick in them doubled. What no server takes as a name is refused before. */
import { RelayError, serverNameFault, unquotedName } from '#runtime';

/** For a name that the server itself has told, whatever is in it. */
export const quoteServerName = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** One name, quoted: a dot belongs to it. Throws CONFIG_INVALID for what no server takes as a name. */
export function quoteIdentifier(name: string): string {
  const fault = serverNameFault(name);
  if (fault === null) return quoteServerName(name);
  throw new RelayError('CONFIG_INVALID', `${JSON.stringify(name.slice(0, 130))} is no name for a server: ${fault}`);
}

const PART = '`(?:[^`]|``)+`|[^`.]+';
const PATH = new RegExp(`^(?:(${PART})\\.)?(${PART})$`);

/**
 * `table` or `database.table` of a caller's own code, quoted. A part that has a dot or a backtick in it is given in backticks, as in SQL:
 * `` `order.events` ``. Throws CONFIG_INVALID for what is no such text.
 */
export function quoteTablePath(path: string): string {
  const [matched, database, table] = PATH.exec(path) ?? [];
  if (matched === undefined || table === undefined) {
    throw new RelayError(
      'CONFIG_INVALID',
      `${JSON.stringify(path.slice(0, 130))} is no name of a table: give table or database.table, a part with a dot or a backtick in it in backticks`,
    );
  }
  const quotedTable = quoteIdentifier(unquotedName(table));
  return database === undefined ? quotedTable : `${quoteIdentifier(unquotedName(database))}.${quotedTable}`;
}
