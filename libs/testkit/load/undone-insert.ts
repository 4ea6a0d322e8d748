/** An insert that a savepoint undoes: its ids are used up, its transaction goes on and may commit. */
import type mysql from 'mysql2/promise';
import type { NotedAnswer } from './load-history.ts';

export async function undoneInsert(
  session: mysql.Connection,
  sql: string,
  values: readonly (readonly unknown[])[],
  answered: (answer: NotedAnswer) => void,
): Promise<void> {
  await session.query('SAVEPOINT undone');
  const [{ insertId, affectedRows }] = await session.query<mysql.ResultSetHeader>(sql, [values]);
  await session.query('ROLLBACK TO SAVEPOINT undone');
  answered({ firstId: insertId, affectedRows, undone: true });
}
