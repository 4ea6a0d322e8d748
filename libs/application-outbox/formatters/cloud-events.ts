/**
 * CloudEvents 1.0 by the SDK of the specification's own project, with its Kafka binding: `structured` puts everything into one
 * JSON value, `binary` puts the attributes into headers `ce_..` and the data into the value.
 */
import { CloudEvent, Kafka } from 'cloudevents';
import { type OutboxEvent, refuseEvent } from '../outbox-event.ts';
import type { FormattedEvent, SyncEventFormatter } from './event-formatter.ts';
import { jsonBytes } from './json.ts';

export interface CloudEventsOptions {
  /** Default `structured`. */
  readonly mode?: 'structured' | 'binary';
  /** The attribute `source`, where the event has none. */
  readonly source?: string;
  /** Further attributes of every event: lower-case letters and digits. */
  readonly extensions?: (event: OutboxEvent) => Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json';
const BYTES_TYPE = 'application/octet-stream';

function attributesOf(event: OutboxEvent, options: CloudEventsOptions) {
  const source = event.source ?? options.source;
  if (source === undefined || source === '') throw refuseEvent('missing', 'a CloudEvent needs a source');
  const extensions: Record<string, string> = { dataversion: event.dataVersion, ...options.extensions?.(event) };
  if (event.correlationId !== null) extensions.correlationid = event.correlationId;
  if (event.causationId !== null) extensions.causationid = event.causationId;
  if (event.traceContext !== null) extensions.traceparent = event.traceContext.traceparent;
  if (event.traceContext?.tracestate !== undefined) extensions.tracestate = event.traceContext.tracestate;
  return {
    id: event.id,
    type: event.type,
    source,
    subject: event.aggregateId,
    time: event.occurredAt.toISOString(),
    ...extensions,
  };
}

/** A payload of null is a tombstone: no value, and in mode `binary` the attributes in the headers. */
export function cloudEventsFormatter(options: CloudEventsOptions = {}): SyncEventFormatter {
  const binary = options.mode === 'binary';
  const format = (event: OutboxEvent): FormattedEvent => {
    const { payload } = event;
    const isBytes = payload instanceof Uint8Array;
    const value = payload === null ? null : isBytes ? payload : jsonBytes(payload);
    const content = payload === null ? {} : { datacontenttype: isBytes ? BYTES_TYPE : JSON_TYPE, data: payload };
    const cloudEvent = new CloudEvent({ ...attributesOf(event, options), ...content });
    if (!binary) {
      const { value: text, headers } = Kafka.structured(cloudEvent);
      return payload === null
        ? { value: null, headers: {} }
        : { value: Buffer.from(String(text)), headers: textHeaders(headers) };
    }
    return { value, headers: textHeaders(Kafka.binary(cloudEvent).headers) };
  };
  return {
    format(event) {
      try {
        return format(event);
      } catch (thrown) {
        // The SDK's own checks: an attribute that is not allowed.
        if (thrown instanceof Error && thrown.name === 'RelayError') throw thrown;
        throw refuseEvent('malformed', 'the event is no valid CloudEvent', thrown);
      }
    },
  };
}

const textHeaders = (headers: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [name, String(value)]),
  );
