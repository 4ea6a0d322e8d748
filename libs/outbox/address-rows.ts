/** Gives rows their outbox ids: the next sequence numbers, each in the lane of its key. Pure. */
import { outboxId, pickLane } from './lane.ts';
import type { OutboxMessage, SourceRow } from './ports.ts';

export interface AddressedRows {
  readonly messages: readonly OutboxMessage[];
  /** Lanes that got rows. */
  readonly lanes: readonly number[];
  /** Of keys and values. */
  readonly bytes: number;
}

export function addressRows(rows: readonly SourceRow[], lanes: readonly number[], nextSequence: number): AddressedRows {
  const messages: OutboxMessage[] = [];
  const touched = new Set<number>();
  let sequence = nextSequence;
  let bytes = 0;
  for (const row of rows) {
    const lane = pickLane(lanes, row.key, sequence);
    touched.add(lane);
    bytes += (row.value?.length ?? 0) + (row.key?.length ?? 0);
    messages.push({
      id: outboxId(lane, sequence),
      eventId: row.eventId,
      topic: row.topic,
      key: row.key,
      value: row.value,
      headers: row.headers,
    });
    sequence += 1;
  }
  return { messages, lanes: [...touched], bytes };
}
