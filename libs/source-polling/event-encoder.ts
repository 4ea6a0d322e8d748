/**
 * Turns a row of an application's outbox table into a message as Debezium's outbox event router does by default: topic
 * `outbox.event.<aggregatetype>`, key `aggregateid`, value the payload's bytes as they are (NULL: a tombstone), header `id`.
 * Beyond it, where the table has the columns: a topic and a key of the row's own, headers of its own, and the trace context.
 */
import type { RowBytes } from '#database';
import { ownHeaders, type SourceRow, traceHeaders } from '#outbox';
import { ByteWriter } from './byte-writer.ts';
import type { ColumnKind } from './column-kinds.ts';
import type { EventPlan, PlanColumn, ReadPlan } from './read-plan.ts';
import { plainValue, positionDigits, positionOf } from './row-encoder.ts';

const UUID_BYTES = 16;

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export class EventEncoder {
  readonly #plan: ReadPlan;
  readonly #event: EventPlan;
  readonly #kinds: readonly ColumnKind[];
  readonly #writer: ByteWriter;

  constructor(plan: ReadPlan, event: EventPlan, kinds: readonly ColumnKind[], writer: ByteWriter = new ByteWriter()) {
    this.#plan = plan;
    this.#event = event;
    this.#kinds = kinds;
    this.#writer = writer;
  }

  encode(row: RowBytes): SourceRow {
    const digits = positionDigits(row, this.#plan.position.at);
    const { recordKey } = this.#event;
    const own = recordKey === null ? null : this.#bytes(row, recordKey);
    return {
      position: positionOf(digits),
      eventId: this.#id(row) ?? `${this.#plan.sourceName}:${digits}`,
      topic: this.#topic(row),
      key: own ?? (this.#plan.key === null ? null : this.#bytes(row, this.#plan.key)),
      value: this.#bytes(row, this.#event.payload),
      headers: this.#headers(row),
    };
  }

  /** As they are, whatever the type. */
  #bytes(row: RowBytes, { at }: PlanColumn): Buffer | null {
    if (row.isNull(at)) return null;
    this.#writer.raw(row.bytes, row.starts[at], row.ends[at]);
    return this.#writer.take();
  }

  #plain(row: RowBytes, column: PlanColumn): Buffer | null {
    return plainValue(this.#writer, row, column, this.#kinds[column.at] as ColumnKind);
  }

  #text(row: RowBytes, column: PlanColumn): string | null {
    return this.#plain(row, column)?.toString('utf8') ?? null;
  }

  /** Binary ids of 16 bytes are UUIDs in all databases we know of. */
  #id(row: RowBytes): string | null {
    const { id } = this.#event;
    if (this.#kinds[id.at] !== 'base64' || row.isNull(id.at)) return this.#text(row, id);
    const bytes = row.slice(id.at) as Buffer;
    return bytes.length === UUID_BYTES ? uuidText(bytes) : this.#text(row, id);
  }

  /** An empty topic says that the row has none: the sender takes that as the row's own fault. */
  #topic(row: RowBytes): string {
    const { topic, fallbackTopic } = this.#plan;
    const own = topic === null ? null : this.#text(row, topic);
    if (own !== null || fallbackTopic !== '') return own ?? fallbackTopic;
    const route = this.#text(row, this.#event.route);
    return route === null ? '' : this.#event.topicPrefix + route;
  }

  #headers(row: RowBytes): Record<string, string> | null {
    const { tracing, headers, placed } = this.#event;
    const all: Record<string, string> = {};
    if (tracing !== null && !row.isNull(tracing.at)) Object.assign(all, traceHeaders(this.#text(row, tracing) ?? ''));
    for (const { column, header } of placed) {
      const value = this.#text(row, column);
      if (value !== null) all[header] = value;
    }
    if (headers !== null && !row.isNull(headers.at)) Object.assign(all, ownHeaders(this.#text(row, headers) ?? ''));
    return Object.keys(all).length === 0 ? null : all;
  }
}
