/** Bytes as the application made them. */
import { type OutboxEvent, refuseEvent } from '../outbox-event.ts';
import type { FormattedEvent, SyncEventFormatter } from './event-formatter.ts';

/** The payload is a Uint8Array (a Buffer too), or null for a tombstone. `contentType` becomes the header `content-type`. */
export function rawFormatter(contentType = 'application/octet-stream'): SyncEventFormatter {
  return {
    format({ payload }: OutboxEvent): FormattedEvent {
      if (payload !== null && !(payload instanceof Uint8Array)) {
        throw refuseEvent('does-not-serialise', 'the payload of a raw event is neither bytes nor null');
      }
      return { value: payload, headers: { 'content-type': contentType } };
    },
  };
}
