/** The relay's own tables in the file: their names as settings, and quoted once for all statements. */
import type { OutboxTables } from '#outbox';
import { RelayError } from '#runtime';

/** Those of the outbox, and the one row that says whose file this is. */
export interface QuotedTables extends OutboxTables {
  readonly file: string;
}

const ALLOWED = /^[A-Za-z0-9_$]{1,64}$/;

/** Quoted as SQLite does it. Throws CONFIG_INVALID for anything outside letters, digits, `_` and `$`. */
export function quoteIdentifier(name: string): string {
  if (ALLOWED.test(name)) return `"${name}"`;
  const shown = name.slice(0, 130);
  throw new RelayError('CONFIG_INVALID', `"${shown}" is not a name of letters, digits, _ and $, 64 at most`);
}

export function quoteTables(tables: OutboxTables): QuotedTables {
  return {
    watermark: quoteIdentifier(tables.watermark),
    outbox: quoteIdentifier(tables.outbox),
    lane: quoteIdentifier(tables.lane),
    member: quoteIdentifier(tables.member),
    deadLetter: quoteIdentifier(tables.deadLetter),
    topic: quoteIdentifier(tables.topic),
    gap: quoteIdentifier(tables.gap),
    file: quoteIdentifier(fileTable(tables)),
  };
}

export const fileTable = ({ watermark }: Pick<OutboxTables, 'watermark'>): string => `${watermark}_file`;

/** Milliseconds since the epoch by SQLite's clock, which is the machine's; the same throughout a statement. */
export const NOW = "CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)";
