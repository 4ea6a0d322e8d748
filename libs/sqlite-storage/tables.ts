/** The relay's own tables in the file: their names as settings, and quoted once for all statements. */
import { quoteSqliteName } from '#database';
import type { OutboxTables } from '#outbox';

/** Those of the outbox, and the one row that says whose file this is. */
export interface QuotedTables extends OutboxTables {
  readonly file: string;
}

export function quoteTables(tables: OutboxTables): QuotedTables {
  return {
    watermark: quoteSqliteName(tables.watermark),
    outbox: quoteSqliteName(tables.outbox),
    lane: quoteSqliteName(tables.lane),
    member: quoteSqliteName(tables.member),
    deadLetter: quoteSqliteName(tables.deadLetter),
    topic: quoteSqliteName(tables.topic),
    gap: quoteSqliteName(tables.gap),
    sourceFacts: quoteSqliteName(tables.sourceFacts),
    file: quoteSqliteName(fileTable(tables)),
  };
}

export const fileTable = ({ watermark }: Pick<OutboxTables, 'watermark'>): string => `${watermark}_file`;

/** Milliseconds since the epoch by SQLite's clock, which is the machine's; the same throughout a statement. */
export const NOW = "CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)";
