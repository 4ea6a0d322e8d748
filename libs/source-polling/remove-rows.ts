/**
 * Mode `consume`: takes rows out of the application's table inside the transaction that moves them.
 *
 * Each row is named by its position: a range would take a row along that committed after it was read. The index is forced,
 * because a scan of a small table would wait for rows that the application has inserted and not committed yet. At READ
 * COMMITTED only the rows named are locked, no gap between them, so that nothing the application inserts waits for us. They
 * were read without a lock, and that is enough: the compare-and-set lets one writer at a time get here, nobody else deletes,
 * and should somebody do it all the same the count shows it. SKIP LOCKED would leave out a row that somebody happens to hold
 * and move the next one of its key in front of it.
 */
import { type EngineKind, quoteIdentifier, quoteServerName, type Session, type SqlValue } from '#database';
import type { TableFacts } from './inspect-table.ts';

/** A list in one statement: from 1,000 on MariaDB turns it into a join. */
const ROWS_PER_STATEMENT_MAX = 500;

export interface RemovalStatements {
  /** Each with `IN (?)` for the positions. */
  readonly archive: string | null;
  readonly remove: string;
}

/** `watermark` quoted. */
export function removalStatements(
  table: TableFacts,
  watermark: string,
  archive: string | null,
  kind: EngineKind,
): RemovalStatements {
  const { quotedName, forceIndex, columns } = table;
  const index = forceIndex === null ? '' : ` FORCE INDEX (${quoteServerName(forceIndex)})`;
  const names = columns.map(({ name }) => quoteServerName(name)).join(', ');
  const where = `WHERE ${watermark} IN (?)`;
  return {
    archive:
      archive === null
        ? null
        : `INSERT INTO ${quoteIdentifier(archive)} (${names}) SELECT ${names} FROM ${quotedName}${index} ${where}`,
    // Only the form for several tables takes a hint.
    remove:
      kind === 'singlestore' || kind === 'unknown'
        ? `DELETE FROM ${quotedName} ${where}`
        : `DELETE ${quotedName} FROM ${quotedName}${index} ${where}`,
  };
}

/** False when a row named is not there any more. */
export async function removeRows(
  session: Session,
  { archive, remove }: RemovalStatements,
  positions: readonly bigint[],
): Promise<boolean> {
  for (let first = 0; first < positions.length; first += ROWS_PER_STATEMENT_MAX) {
    const some = positions.slice(first, first + ROWS_PER_STATEMENT_MAX);
    const values = [some] as unknown as readonly SqlValue[];
    if (archive !== null && (await session.run(archive, values)).affectedRows !== some.length) return false;
    if ((await session.run(remove, values)).affectedRows !== some.length) return false;
  }
  return true;
}
