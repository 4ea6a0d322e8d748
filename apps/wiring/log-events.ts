/** Events of the core as log lines: one line per event that matters, nothing per row, no payload. */
import type { SenderEvent, WriterEvent } from '#outbox';
import { type Clock, type Logger, systemClock } from '#runtime';
import { explainHeld, type HeldEvent, isHeldFor } from './held-gaps.ts';
import { createTargetLines } from './target-lines.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

export const WRITER_LINES: Record<WriterEvent['kind'], readonly [Level, string]> = {
  'standing-by': ['info', 'stands by'],
  elected: ['info', 'elected'],
  'election-waits': ['warn', 'Redis gives no usable answer: nobody is elected by it'],
  'election-fallback': ['warn', 'leads without Redis'],
  'election-restored': ['info', 'Redis elects again'],
  'term-begun': ['info', 'term begun'],
  'lanes-differ': ['warn', 'LANES is not what the source has; the lanes in the database count, lane grow changes them'],
  'term-ended': ['info', 'term ended'],
  moved: ['debug', 'rows moved to the outbox'],
  'gaps-opened': ['debug', 'ids are missing that may still become rows'],
  'gaps-closed': ['debug', 'missing ids were rolled back or never used'],
  'gaps-held': ['debug', 'missing ids are still open'],
  'went-back': ['warn', 'rows found below the position: reading goes back to them'],
  'gaps-at-bound': ['warn', 'too many open gaps: reading of new rows pauses'],
  'commit-unknown': ['warn', 'the answer to a commit was lost; the watermark row decided'],
  'writer-retry': ['warn', 'will try again'],
  'source-halted': ['error', 'source halted'],
  'source-resumed': ['info', 'source accepted by an operator: it may be led again'],
  'column-type-changed': ['warn', 'a delivered column has another type: its values may look different from now on'],
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
  'rows-too-large': ['warn', 'rows are larger than Kafka takes: set aside unsent, their keys wait'],
  'rows-still-too-large': ['debug', 'rows set aside are still larger than Kafka takes'],
  throttled: [
    'warn',
    'throttled by a broker: raise the quota of this client, or expect rows at the pace that it allows',
  ],
  'pace-changed': ['info', 'transactions carry fewer rows after a time-out or a slow one, or as many as ever again'],
  'row-retry-failed': ['warn', 'row refused again'],
  'row-dead': ['error', 'row given up after its last attempt'],
  'row-recovered': ['info', 'row set aside was delivered'],
  'target-blocked': ['warn', 'topic or partition takes nothing: its rows wait, the others go on'],
  'id-changed': ['warn', 'the last transaction cannot be ended yet: going on under another transactional id'],
  'target-back': ['info', 'topic or partition takes rows again: those that waited follow'],
  'rows-waiting': ['debug', 'rows wait aside for their topic or partition'],
  'rows-returned': ['debug', 'rows that waited for their topic or partition were delivered'],
};

export function logWriterEvents(logger: Logger): (event: WriterEvent) => void {
  return (event) => write(logger, WRITER_LINES[event.kind], event);
}

export function logSenderEvents(logger: Logger, clock: Clock = systemClock): (event: SenderEvent) => void {
  const isNews = createTargetLines(clock);
  return (event) => {
    const [level, message] = SENDER_LINES[event.kind];
    write(logger, [isNews(event) ? level : 'debug', message], event);
  };
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

interface GapCounts {
  opened: bigint;
  closed: bigint;
  /** The last one opened. */
  last: bigint | null;
  held: HeldEvent | null;
  saidHeldMs: number;
}

/** A gap that is open for longer is told by itself, and again after a while. */
const HELD_SAID_FROM_MS = 10_000;
const HELD_SAID_EVERY_MS = 60_000;

/** Gaps of a source are summed up in one line an interval: an application that rolls back often makes many a second. */
export function summariseGaps(logger: Logger, clock: Clock): { note(event: WriterEvent): void; flush(): void } {
  const counts = new Map<string, GapCounts>();
  const of = (source: string): GapCounts => {
    const none = { opened: 0n, closed: 0n, last: null, held: null, saidHeldMs: Number.NEGATIVE_INFINITY };
    const found = counts.get(source) ?? none;
    counts.set(source, found);
    return found;
  };
  return {
    note(event) {
      if (event.kind === 'gaps-opened') {
        const count = of(event.source);
        count.opened += event.missing;
        count.last = event.last;
      } else if (event.kind === 'gaps-closed') {
        of(event.source).closed += event.missing;
      } else if (event.kind === 'gaps-held') {
        of(event.source).held = event.ranges > 0 ? event : null;
      }
    },
    flush() {
      for (const [source, count] of counts) {
        sayGaps(logger, source, count);
        sayHeld(logger, count, clock.nowMs());
      }
    },
  };
}

function sayGaps(logger: Logger, source: string, count: GapCounts): void {
  const { opened, closed, last } = count;
  if (opened === 0n && closed === 0n) return;
  const facts = { opened: String(opened), closed: String(closed), ...(last === null ? {} : { last: String(last) }) };
  logger.info({ event: 'gaps', source, ...facts }, 'ids were found missing, and given up');
  count.opened = 0n;
  count.closed = 0n;
  count.last = null;
}

function sayHeld(logger: Logger, count: GapCounts, nowMs: number): void {
  const { held } = count;
  if (held === null || !isHeldFor(held, HELD_SAID_FROM_MS)) return;
  if (nowMs - count.saidHeldMs < HELD_SAID_EVERY_MS) return;
  count.saidHeldMs = nowMs;
  write(logger, ['warn', explainHeld(held, HELD_SAID_FROM_MS)], held);
}

function write(logger: Logger, [usual, message]: readonly [Level, string], event: WriterEvent | SenderEvent): void {
  const { kind, ...facts } = event;
  // Nobody has thought of it: somebody has to look.
  const level = 'code' in facts && facts.code === 'DB_UNKNOWN' ? 'error' : usual;
  // Log lines are JSON: a 64-bit position is written as text, with all its digits.
  const written = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name === 'message' ? 'reason' : name,
      typeof value === 'bigint' ? String(value) : value,
    ]),
  );
  logger[level]({ event: kind, ...written }, message);
}
