/** Halts a source, lets it go on, and keeps what was last seen of its table: each in one transaction that checks the epoch (I8). */
import {
  incarnationsToText,
  type SourceAcceptance,
  type SourceHalt,
  type TableFacts,
  type TableFactsTexts,
  tableFactsFromTexts,
  tableFactsToTexts,
} from '#outbox';
import { writeGaps } from './gap-pages.ts';
import type { SqliteStatements } from './sqlite-file.ts';
import type { Storage } from './storage.ts';
import { NOW, type QuotedTables } from './tables.ts';

export function haltSource({ file, tables }: Storage, { source, epoch, cause, why }: SourceHalt): Promise<boolean> {
  const update = `UPDATE ${tables.watermark} SET state = 'halted', cause = ?, why = ?, epoch = epoch + 1, updated_at = ${NOW} WHERE source = ? AND epoch = ? AND state = 'running'`;
  return file.write((sql) => sql.run(update, cause, why, source, epoch) === 1);
}

export function loadTableFacts({ file, tables }: Storage, source: string): Promise<TableFacts | null> {
  const select = `SELECT delivered_columns, mark, sample, next_position FROM ${tables.sourceFacts} WHERE source = ?`;
  return file.read((sql) => {
    const row = sql.get<TableFactsTexts>(select, source);
    return row === undefined ? null : tableFactsFromTexts(row);
  });
}

export function noteTableFacts(
  { file, tables }: Storage,
  source: string,
  epoch: number,
  facts: TableFacts,
): Promise<boolean> {
  const select = `SELECT 1 FROM ${tables.watermark} WHERE source = ? AND epoch = ? AND state = 'running'`;
  return file.write((sql) => {
    if (sql.get(select, source, epoch) === undefined) return false;
    writeFacts(sql, tables, source, facts);
    return true;
  });
}

function writeFacts(sql: SqliteStatements, tables: QuotedTables, source: string, facts: TableFacts): void {
  const texts = tableFactsToTexts(facts);
  sql.run(
    `INSERT OR REPLACE INTO ${tables.sourceFacts} (source, delivered_columns, mark, sample, next_position, updated_at) VALUES (?, ?, ?, ?, ?, ${NOW})`,
    source,
    texts.delivered_columns,
    texts.mark,
    texts.sample,
    texts.next_position,
  );
}

export function acceptSource({ file, tables }: Storage, acceptance: SourceAcceptance): Promise<boolean> {
  const { source, epoch, position, gaps, incarnations, facts } = acceptance;
  const update = `UPDATE ${tables.watermark} SET state = 'running', cause = NULL, why = NULL, leader = NULL, epoch = epoch + 1, position = ?, incarnations = ?, updated_at = ${NOW} WHERE source = ? AND epoch = ? AND state = 'halted'`;
  return file.write((sql) => {
    const values = [position.toString(), incarnationsToText(incarnations), source, epoch];
    if (sql.run(update, ...values) !== 1) return false;
    writeGaps(sql, tables, source, gaps);
    writeFacts(sql, tables, source, facts);
    return true;
  });
}
