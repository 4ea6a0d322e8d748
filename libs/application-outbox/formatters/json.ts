/** Plain JSON: the payload and nothing else, as Debezium's outbox event router sends it. */

import { type OutboxEvent, refuseEvent } from '../outbox-event.ts';
import type { FormattedEvent, SyncEventFormatter } from './event-formatter.ts';

/** Refuses what JSON has no word for (undefined, functions, cycles, bigint) instead of leaving it out of the record. */
export function jsonBytes(payload: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    throw refuseEvent('does-not-serialise', 'the payload of an event does not serialise to JSON', cause);
  }
  if (text === undefined) throw refuseEvent('does-not-serialise', 'the payload of an event is nothing that JSON knows');
  return Buffer.from(text);
}

export const jsonFormatter: SyncEventFormatter = {
  format: ({ payload }: OutboxEvent): FormattedEvent => ({
    value: payload === null ? null : jsonBytes(payload),
    headers: {},
  }),
};
