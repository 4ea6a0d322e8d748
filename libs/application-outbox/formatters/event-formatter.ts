/** A formatter makes the bytes of an event: the record's value, and headers that say what they are. */
import type { OutboxEvent } from '../outbox-event.ts';

export interface FormattedEvent {
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  /** Beside the event's own. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Formatters throw EVENT_REFUSED when the event cannot be written in their format. */
export interface EventFormatter<P = unknown> {
  format(event: OutboxEvent<P>): FormattedEvent | Promise<FormattedEvent>;
}

/** A formatter that needs nobody's answer: the only kind that fits into a synchronous transaction. */
export interface SyncEventFormatter<P = unknown> extends EventFormatter<P> {
  format(event: OutboxEvent<P>): FormattedEvent;
}
