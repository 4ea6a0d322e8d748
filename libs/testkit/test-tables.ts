/** Names of the relay's own tables, for tests that make some of their own: plain ones, with a prefix that keeps them apart. */
import type { OutboxTables } from '#outbox';

export const testTables = (prefix = ''): OutboxTables => ({
  watermark: `${prefix}watermark`,
  outbox: `${prefix}outbox`,
  lane: `${prefix}lane`,
  member: `${prefix}member`,
  deadLetter: `${prefix}dead_letter`,
  topic: `${prefix}topic`,
  gap: `${prefix}gap`,
  sourceFacts: `${prefix}source_facts`,
});
