/** What a publisher tells its application: faults, and what it does. */
import type { SenderEvent, WriterEvent } from '#outbox';
import { type ErrorCode, RelayError, type Verdict } from '#runtime';

/** `kind` is the core's event; a fault with verdict `retry` is being tried again by itself. */
export interface PublisherFault {
  readonly kind: string;
  readonly code: ErrorCode | null;
  readonly verdict: Verdict;
  readonly message: string;
  /** Outbox id of the event, where it is about one. */
  readonly outboxId: number | null;
}

/** Each is called when it happens; none may throw. */
export interface PublisherMetrics {
  readonly noEvents?: () => void;
  readonly batchStarted?: (limit: number) => void;
  /** Rows moved to the lanes; none of them can be lost or doubled any more. */
  readonly moved?: (rows: number) => void;
  /** Records of one committed Kafka transaction. */
  readonly delivered?: (records: number, bytes: number, transactionMs: number) => void;
  readonly batchComplete?: (published: number) => void;
}

const verdictOf = (code: ErrorCode): Verdict => new RelayError(code, '').verdict;

/** Null for what is no fault. */
export function faultOf(event: WriterEvent | SenderEvent): PublisherFault | null {
  switch (event.kind) {
    case 'writer-retry':
    case 'sender-retry':
    case 'session-lost':
      return faultWith(event.kind, event.code, event.message, null);
    case 'source-halted':
      return { ...faultWith(event.kind, event.code, event.message, null), verdict: 'fatal' };
    case 'row-aside':
      return faultWith(event.kind, event.code, event.message, event.id);
    case 'rows-too-large':
    case 'rows-still-too-large':
      return faultWith(event.kind, 'KAFKA_RECORD_REFUSED', `${event.rows} rows: ${event.message}`, event.id);
    case 'row-retry-failed':
      return faultWith(event.kind, event.code, `attempt ${event.attempts} failed`, event.id);
    case 'row-dead': {
      const message = `given up after ${event.attempts} attempts, policy ${event.policy}`;
      return { kind: event.kind, code: null, verdict: 'row-fault', message, outboxId: event.id };
    }
    case 'lane-halted':
      return { kind: event.kind, code: null, verdict: 'fatal', message: event.why, outboxId: null };
    default:
      return null;
  }
}

const faultWith = (kind: string, code: ErrorCode, message: string, outboxId: number | null): PublisherFault => ({
  kind,
  code,
  verdict: verdictOf(code),
  message,
  outboxId,
});
