/**
 * Halts a source, lets it go on, and keeps what was last seen of its table. Each is one transaction that holds the watermark row
 * and checks its epoch, so that nothing that an old leader has seen changes the source of its successor (I8).
 */
import { type Session, transaction } from '#database';
import {
  errorText,
  incarnationsToText,
  type SourceAcceptance,
  type SourceHalt,
  type TableFacts,
  type TableFactsTexts,
  tableFactsFromTexts,
  tableFactsToTexts,
} from '#outbox';
import { writeGaps } from './gap-pages.ts';
import { retryDeadlock, type Storage } from './storage.ts';

export async function haltSource(storage: Storage, { source, epoch, cause, why }: SourceHalt): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.watermark} SET state = 'halted', cause = ?, why = ?, epoch = epoch + 1, updated_at = NOW(6) WHERE source = ? AND epoch = ? AND state = 'running'`;
  const values = [cause, errorText(why), source, epoch];
  return (await retryDeadlock(storage, () => storage.pool.run(sql, values))).affectedRows === 1;
}

export async function loadTableFacts({ pool, tables }: Storage, source: string): Promise<TableFacts | null> {
  const [row] = await pool.query<TableFactsTexts>(
    `SELECT delivered_columns, mark, sample, next_position FROM ${tables.sourceFacts} WHERE source = ?`,
    [source],
  );
  return row === undefined ? null : tableFactsFromTexts(row);
}

export function noteTableFacts(storage: Storage, source: string, epoch: number, facts: TableFacts): Promise<boolean> {
  const { tables } = storage;
  return retryDeadlock(storage, () =>
    transaction(storage.pool, async (session) => {
      const mine = await session.query(
        `SELECT 1 FROM ${tables.watermark} WHERE source = ? AND epoch = ? AND state = 'running' FOR UPDATE`,
        [source, epoch],
      );
      if (mine.length === 0) return false;
      await writeFacts(session, storage, source, facts);
      return true;
    }),
  );
}

async function writeFacts(session: Session, { tables }: Storage, source: string, facts: TableFacts): Promise<void> {
  const texts = tableFactsToTexts(facts);
  const values = [texts.delivered_columns, texts.mark, texts.sample, texts.next_position];
  const set = 'delivered_columns = ?, mark = ?, sample = ?, next_position = ?, updated_at = NOW(6)';
  await session.run(
    `INSERT INTO ${tables.sourceFacts} (source, delivered_columns, mark, sample, next_position, updated_at) VALUES (?, ?, ?, ?, ?, NOW(6)) ON DUPLICATE KEY UPDATE ${set}`,
    [source, ...values, ...values],
  );
}

/** Rows above the position are owed from now on, also where the source had begun above it. */
export function acceptSource(storage: Storage, acceptance: SourceAcceptance): Promise<boolean> {
  const { tables } = storage;
  const { source, epoch, position, gaps, incarnations, facts } = acceptance;
  const at = position.toString();
  return retryDeadlock(storage, () =>
    transaction(storage.pool, async (session) => {
      const { affectedRows } = await session.run(
        // The start comes first: MySQL assigns from left to right, and it must not see the new position.
        `UPDATE ${tables.watermark} SET start_gaps = IF(start_position > CAST(? AS DECIMAL(20,0)), '[]', start_gaps), start_position = LEAST(start_position, CAST(? AS DECIMAL(20,0))), state = 'running', cause = NULL, why = NULL, leader = NULL, epoch = epoch + 1, position = ?, incarnations = ?, updated_at = NOW(6) WHERE source = ? AND epoch = ? AND state = 'halted'`,
        [at, at, at, incarnationsToText(incarnations), source, epoch],
      );
      if (affectedRows !== 1) return false;
      await writeGaps(session, tables, source, gaps);
      await writeFacts(session, storage, source, facts);
      return true;
    }),
  );
}
