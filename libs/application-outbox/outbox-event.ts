/** An event as the application hands it in, and as it is once it was checked and completed. */
import { v7 as uuidv7 } from 'uuid';
import { type Clock, RelayError, systemClock } from '#runtime';

export interface OutboxEventInit<P = unknown> {
  /** Header `id` of the record, by which consumers tell a repetition. Default: a new UUIDv7. */
  readonly id?: string;
  /** What happened: `OrderPlaced`. */
  readonly type: string;
  /** What it happened to: `order`. The record goes to `outbox.event.<aggregateType>` unless `topic` says otherwise. */
  readonly aggregateType: string;
  /** Which one. It is the record's key unless `key` says otherwise: events of one aggregate arrive in order. */
  readonly aggregateId: string;
  /** What the formatter makes the record's value of. Null is a tombstone: a record without a value. */
  readonly payload: P;
  /** Default: now. */
  readonly occurredAt?: Date;
  /** Who says so: a URI reference, as CloudEvents has it. Default: the repository's. */
  readonly source?: string | null;
  /** Version of the payload's shape. Default `1.0`. */
  readonly dataVersion?: string;
  /** Same for all events of one business process. */
  readonly correlationId?: string | null;
  /** The id of the event or command that caused this one. */
  readonly causationId?: string | null;
  readonly key?: string | null;
  readonly topic?: string | null;
  /** Further headers of the record. */
  readonly headers?: Readonly<Record<string, string>>;
  /** W3C trace context of the span that the event belongs to. Default: what the repository's `traceContext` says. */
  readonly traceContext?: TraceContext | null;
}

/** https://www.w3.org/TR/trace-context/ */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

export interface OutboxEvent<P = unknown> {
  readonly id: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly payload: P;
  readonly occurredAt: Date;
  readonly source: string | null;
  readonly dataVersion: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  /** Null: the aggregate's id. */
  readonly key: string | null;
  /** Null: `outbox.event.<aggregateType>`. */
  readonly topic: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly traceContext: TraceContext | null;
}

export interface EventDefaults {
  readonly source?: string | null;
  readonly traceContext?: () => TraceContext | null;
  readonly clock?: Pick<Clock, 'wallMs'>;
}

/** Why an event is refused: the `reason` in the details of EVENT_REFUSED. */
export type EventRefusal =
  | 'missing'
  | 'too-long'
  | 'malformed'
  | 'does-not-serialise'
  | 'too-large'
  | 'topic-missing'
  | 'schema'
  | 'not-kept'
  | 'duplicate-id';

/** The event cannot be stored as it is; nothing was, and the caller's transaction is as it was. No payload in the message. */
export function refuseEvent(reason: EventRefusal, message: string, cause?: unknown): RelayError {
  return new RelayError('EVENT_REFUSED', message, { details: { reason }, cause });
}

/** Characters the table's columns hold; topics as Kafka takes them. */
export const NAME_LENGTH_MAX = 255;
const VERSION_LENGTH_MAX = 64;
/** What a MEDIUMTEXT holds. */
const HEADERS_BYTES_MAX = 2 ** 24 - 1;
const TRACESTATE_LENGTH_MAX = 512;
const TOPIC = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;
/** What a DATETIME holds. */
const OCCURRED_AT_MS_MIN = Date.UTC(1000, 0);
const OCCURRED_AT_MS_MAX = Date.UTC(10_000, 0) - 1;
/** Headers that the relay sets itself, whatever a row says. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set(['id', 'outbox-id', 'source', 'lane']);
const TOPIC_PREFIX = 'outbox.event.';

/** Where the record of an event goes. */
export const topicOf = (event: Pick<OutboxEvent, 'topic' | 'aggregateType'>): string =>
  event.topic ?? `${TOPIC_PREFIX}${event.aggregateType}`;

/** Half of a surrogate pair has no bytes in UTF-8: U+FFFD would be stored and sent in its place. */
function requireUtf8(name: string, value: string): void {
  if (!value.isWellFormed()) throw refuseEvent('malformed', `the ${name} of an event has half of a surrogate pair`);
}

function checkText(name: string, value: unknown, lengthMax: number): string {
  if (typeof value !== 'string' || value === '')
    throw refuseEvent('missing', `an event needs its ${name}: a text that is not empty`);
  requireUtf8(name, value);
  // Servers count characters, not UTF-16 units.
  if (value.length > lengthMax && [...value].length > lengthMax) {
    throw refuseEvent('too-long', `the ${name} of an event has at most ${lengthMax} characters`);
  }
  return value;
}

const optionalText = (name: string, value: string | null | undefined, lengthMax = NAME_LENGTH_MAX): string | null =>
  value === undefined || value === null ? null : checkText(name, value, lengthMax);

function checkHeaders(headers: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    if (name === '') throw refuseEvent('malformed', 'a header of an event has no name');
    if (typeof value !== 'string') throw refuseEvent('malformed', `the header ${name} of an event is not a text`);
    if (RESERVED_HEADERS.has(name)) throw refuseEvent('malformed', `the header ${name} is set by the relay`);
    requireUtf8('headers', name + value);
  }
  if (Buffer.byteLength(JSON.stringify(headers)) > HEADERS_BYTES_MAX) {
    throw refuseEvent('too-long', `the headers of an event have at most ${HEADERS_BYTES_MAX} bytes as JSON`);
  }
  return { ...headers };
}

function checkTrace(trace: TraceContext | null): TraceContext | null {
  if (trace === null) return null;
  const { traceparent, tracestate } = trace;
  // The specification's own advice for a context that is not well-formed: go on without it. An event is worth more.
  if (typeof traceparent !== 'string' || !TRACEPARENT.test(traceparent)) return null;
  if (typeof tracestate !== 'string' || tracestate === '' || tracestate.length > TRACESTATE_LENGTH_MAX)
    return { traceparent };
  return /[\r\n]/.test(tracestate) ? { traceparent } : { traceparent, tracestate };
}

/** Throws EVENT_REFUSED, with `details.reason`, for an event without type or aggregate, or with a name that does not fit. */
export function completeEvent<P>(init: OutboxEventInit<P>, defaults: EventDefaults = {}): OutboxEvent<P> {
  if (typeof init !== 'object' || init === null)
    throw refuseEvent('missing', 'an event is an object with type and aggregate');
  const occurredAt = init.occurredAt ?? new Date((defaults.clock ?? systemClock).wallMs());
  if (!(occurredAt instanceof Date) || Number.isNaN(occurredAt.getTime())) {
    throw refuseEvent('malformed', 'occurredAt of an event is not a valid Date');
  }
  if (occurredAt.getTime() < OCCURRED_AT_MS_MIN || occurredAt.getTime() > OCCURRED_AT_MS_MAX) {
    throw refuseEvent('malformed', 'occurredAt of an event is not in the years 1000 to 9999');
  }
  const event: OutboxEvent<P> = {
    id: init.id === undefined ? uuidv7() : checkText('id', init.id, NAME_LENGTH_MAX),
    type: checkText('type', init.type, NAME_LENGTH_MAX),
    aggregateType: checkText('aggregateType', init.aggregateType, NAME_LENGTH_MAX),
    aggregateId: checkText('aggregateId', init.aggregateId, NAME_LENGTH_MAX),
    payload: init.payload,
    occurredAt,
    source: optionalText('source', init.source === undefined ? defaults.source : init.source),
    dataVersion: checkText('dataVersion', init.dataVersion ?? '1.0', VERSION_LENGTH_MAX),
    correlationId: optionalText('correlationId', init.correlationId),
    causationId: optionalText('causationId', init.causationId),
    key: optionalText('key', init.key),
    topic: init.topic ?? null,
    headers: checkHeaders(init.headers),
    traceContext: checkTrace(init.traceContext === undefined ? (defaults.traceContext?.() ?? null) : init.traceContext),
  };
  const topic = topicOf(event);
  if (!TOPIC.test(topic)) {
    const from =
      event.topic === null ? `its aggregateType gives ${JSON.stringify(topic.slice(0, 300))}` : 'its topic is none';
    throw refuseEvent('malformed', `an event needs a topic of letters, digits, . _ and -, at most 249: ${from}`);
  }
  return event;
}
