/** The outbox row as it comes off the wire: undecoded bytes to an OutboxRow, with as little work a row as can be. */
import type { OutboxRow } from '#outbox';
import { RelayError } from '#runtime';

export const OUTBOX_COLUMNS = 'id, event_id, topic, record_key, payload, headers, size';

export type WireRow = readonly (Buffer | null)[];

/** ASCII digits of a number below 2^53. */
export function digitsToNumber(digits: Buffer): number {
  let number = 0;
  for (let at = 0; at < digits.length; at += 1) number = number * 10 + ((digits[at] as number) - 48);
  return number;
}

/** Rows of one topic come in runs: one string stands for all of them. */
export class TopicCache {
  #bytes: Buffer = Buffer.alloc(0);
  #text = '';

  textOf(bytes: Buffer): string {
    if (!bytes.equals(this.#bytes)) {
      this.#bytes = Buffer.from(bytes);
      this.#text = bytes.toString('utf8');
    }
    return this.#text;
  }
}

export function toOutboxRow(row: WireRow, topics: TopicCache): OutboxRow {
  const [id, eventId, topic, key, value, headers, size] = row;
  if (!id || !eventId || !topic || !size) throw new RelayError('INVARIANT_BROKEN', 'an outbox row lacks a column');
  return {
    id: digitsToNumber(id),
    eventId: eventId.toString('utf8'),
    topic: topics.textOf(topic),
    key: key ?? null,
    value: value ?? null,
    headers: headers ? (JSON.parse(headers.toString('utf8')) as Record<string, string>) : null,
    size: digitsToNumber(size),
  };
}
