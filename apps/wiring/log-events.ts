/** Events of the core as log lines: one line per event that matters, nothing per row, no payload. */
import type { SenderEvent, WriterEvent } from '#outbox';
import type { Logger } from '#runtime';

type Level = 'debug' | 'info' | 'warn' | 'error';

export const WRITER_LINES: Record<WriterEvent['kind'], readonly [Level, string]> = {
  'standing-by': ['info', 'stands by'],
  elected: ['info', 'elected'],
  'term-begun': ['info', 'term begun'],
  'lanes-differ': ['warn', 'LANES is not what the source has; the lanes in the database count, lane grow changes them'],
  'term-ended': ['info', 'term ended'],
  moved: ['debug', 'rows moved to the outbox'],
  'gap-opened': ['debug', 'gap opened'],
  'gap-closed': ['debug', 'gap closed: rolled back or never used'],
  'went-back': ['warn', 'rows found below the position: reading goes back to them'],
  'gaps-at-bound': ['warn', 'too many open gaps: reading of new rows pauses'],
  'commit-unknown': ['warn', 'the answer to a commit was lost; the watermark row decided'],
  'writer-retry': ['warn', 'will try again'],
  'source-halted': ['error', 'source halted'],
};

export const SENDER_LINES: Record<SenderEvent['kind'], readonly [Level, string]> = {
  'session-opened': ['info', 'producer ready'],
  'session-lost': ['warn', 'producer thrown away; a new one reads the markers'],
  'lane-taken': ['info', 'took lane'],
  'lane-released': ['info', 'gave lane back'],
  'lane-lost': ['warn', 'lost lane'],
  'commit-lost': ['error', 'Kafka lost a commit that it had acknowledged: its rows are delivered again'],
  'commit-torn': ['error', 'Kafka tore a transaction apart: what arrived is not sent again, the rest is'],
  'lane-halted': ['error', 'lane halted: doctor says what disagrees, lane resume lets it go on'],
  members: ['info', 'fair share of lanes'],
  delivered: ['debug', 'delivered'],
  deleted: ['debug', 'deleted delivered rows'],
  'sender-retry': ['warn', 'will try again'],
  'row-aside': ['warn', 'row refused: set aside, its key waits'],
  'row-retry-failed': ['warn', 'row refused again'],
  'row-dead': ['error', 'row given up after its last attempt'],
  'row-recovered': ['info', 'row set aside was delivered'],
};

export function logWriterEvents(logger: Logger): (event: WriterEvent) => void {
  return (event) => write(logger, WRITER_LINES[event.kind], event);
}

export function logSenderEvents(logger: Logger): (event: SenderEvent) => void {
  return (event) => write(logger, SENDER_LINES[event.kind], event);
}

/** Deliveries are summed up in one line an interval, since a line each would drown the rest. */
export function summariseDeliveries(logger: Logger): { note(event: SenderEvent): void; flush(): void } {
  let rows = 0;
  let bytes = 0;
  let transactions = 0;
  return {
    note(event) {
      if (event.kind !== 'delivered') return;
      rows += event.rows;
      bytes += event.bytes;
      transactions += 1;
    },
    flush() {
      if (transactions === 0) return;
      logger.info({ event: 'delivered', rows, bytes, transactions }, 'delivered');
      rows = 0;
      bytes = 0;
      transactions = 0;
    },
  };
}

interface GapSums {
  opened: number;
  closed: number;
  longestMs: number;
  /** The last one opened. */
  last: string | null;
}

/** Gaps of a source are summed up in one line an interval: an application that rolls back often makes many a second. */
export function summariseGaps(logger: Logger): { note(event: WriterEvent): void; flush(): void } {
  const sums = new Map<string, GapSums>();
  const of = (source: string): GapSums => {
    const found = sums.get(source) ?? { opened: 0, closed: 0, longestMs: 0, last: null };
    sums.set(source, found);
    return found;
  };
  return {
    note(event) {
      if (event.kind === 'gap-opened') {
        const sum = of(event.source);
        sum.opened += 1;
        sum.last = event.from === event.to ? String(event.from) : `${event.from} to ${event.to}`;
      } else if (event.kind === 'gap-closed') {
        const sum = of(event.source);
        sum.closed += 1;
        sum.longestMs = Math.max(sum.longestMs, Math.round(event.openMs));
      }
    },
    flush() {
      for (const [source, { opened, closed, longestMs, last }] of sums) {
        const facts = { ...(last === null ? {} : { last }), ...(closed === 0 ? {} : { longestMs }) };
        logger.info({ event: 'gaps', source, opened, closed, ...facts }, 'gaps opened and closed without a row');
      }
      sums.clear();
    },
  };
}

function write(logger: Logger, [level, message]: readonly [Level, string], event: WriterEvent | SenderEvent): void {
  const { kind, ...facts } = event;
  // Log lines are JSON: a 64-bit position is written as text, with all its digits.
  const written = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name === 'message' ? 'reason' : name,
      typeof value === 'bigint' ? String(value) : value,
    ]),
  );
  logger[level]({ event: kind, ...written }, message);
}
