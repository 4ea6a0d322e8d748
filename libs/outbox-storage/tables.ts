/** The relay's own tables: their names as settings, and quoted once for all statements. */

import { quoteIdentifier } from '#database';
import type { OutboxTables } from '#outbox';

/** Names already checked and quoted. Throws CONFIG_INVALID for a name that is none. */
export function quoteTables(tables: OutboxTables): OutboxTables {
  return {
    watermark: quoteIdentifier(tables.watermark),
    outbox: quoteIdentifier(tables.outbox),
    lane: quoteIdentifier(tables.lane),
    member: quoteIdentifier(tables.member),
    deadLetter: quoteIdentifier(tables.deadLetter),
    topic: quoteIdentifier(tables.topic),
    gap: quoteIdentifier(tables.gap),
    sourceFacts: quoteIdentifier(tables.sourceFacts),
  };
}
