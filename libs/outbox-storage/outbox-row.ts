/** The outbox row as it comes off the wire: undecoded bytes to an OutboxRow, with as little work a row as can be. */
import type { RowBytes } from '#database';
import type { OutboxRow } from '#outbox';
import { RelayError } from '#runtime';

export const OUTBOX_COLUMNS = 'id, event_id, topic, record_key, payload, headers, size';

const ID = 0;
const EVENT_ID = 1;
const TOPIC = 2;
const KEY = 3;
const VALUE = 4;
const HEADERS = 5;
const SIZE = 6;

/** ASCII digits of a number below 2^53. */
function numberOf(row: RowBytes, column: number): number {
  const { bytes } = row;
  const end = row.ends[column] as number;
  let number = 0;
  for (let at = row.starts[column] as number; at < end; at += 1) number = number * 10 + ((bytes[at] as number) - 48);
  return number;
}

/** Rows of one topic come in runs: one string stands for all of them. */
export class TopicCache {
  #bytes: Buffer = Buffer.alloc(0);
  #text = '';

  textOf(row: RowBytes, column: number): string {
    if (!this.#isLast(row, column)) {
      this.#bytes = Buffer.from(row.slice(column) as Buffer);
      this.#text = this.#bytes.toString('utf8');
    }
    return this.#text;
  }

  #isLast(row: RowBytes, column: number): boolean {
    const start = row.starts[column] as number;
    const known = this.#bytes;
    if ((row.ends[column] as number) - start !== known.length) return false;
    for (let at = 0; at < known.length; at += 1) if (row.bytes[start + at] !== known[at]) return false;
    return true;
  }
}

/** Key and value share the memory of the row. */
export function toOutboxRow(row: RowBytes, topics: TopicCache): OutboxRow {
  if (row.isNull(ID) || row.isNull(EVENT_ID) || row.isNull(TOPIC) || row.isNull(SIZE)) {
    throw new RelayError('INVARIANT_BROKEN', 'an outbox row lacks a column');
  }
  return {
    id: numberOf(row, ID),
    eventId: row.text(EVENT_ID),
    topic: topics.textOf(row, TOPIC),
    key: row.slice(KEY),
    value: row.slice(VALUE),
    headers: row.isNull(HEADERS) ? null : (JSON.parse(row.text(HEADERS)) as Record<string, string>),
    size: numberOf(row, SIZE),
  };
}
