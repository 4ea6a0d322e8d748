/**
 * The matrix: for every cause of a stall the fact that it is known by, and the one cause that health, log, metrics, webhook,
 * `status` and `doctor` then name. Without servers: faults carry the numbers that servers give, looks what the tables show.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createNotifier, type Notification } from '#notification';
import { createMetrics } from '#observability';
import { type ErrorCode, nextTurn, RelayError, readStalls, type StallCause, silentLogger } from '#runtime';
import { stalls as doctorStalls } from './doctor/check-stalls.ts';
import type { Facts } from './doctor/facts.ts';
import type { RelayLook } from './judge-stalls.ts';
import type { Operator } from './operator.ts';
import { StallMonitor } from './stall-monitor.ts';
import { statusStalls } from './status-stalls.ts';
import { watchStalls } from './watch-stalls.ts';

const STALL_MS = 60_000;
const MEMBER = { silentMs: 1, upMs: 1, stalls: [] };
const LANE = { lane: 0, source: 'orders', state: 'running', why: null, holder: 'me', leaseExpired: false } as const;
const SOURCE = { name: 'orders', leader: 'w', halted: null, mayWait: true };
const FLOWING: RelayLook = {
  sources: [SOURCE],
  lanes: [{ ...LANE, deliveredId: 1 }],
  backlog: [{ lane: 0, source: 'orders', rows: 3, oldestAgeMs: STALL_MS }],
  members: [
    { ...MEMBER, id: 'me', kind: 'sender' },
    { ...MEMBER, id: 'w', kind: 'writer' },
  ],
  aside: { retrying: 0, parked: 0, waiting: 0, dead: 0 },
};

interface Kind {
  readonly part: string;
  /** Whether the process answers 503. */
  readonly isWhole: boolean;
  /** What the sender, or the leader, meets again and again. */
  readonly fault?: RelayError;
  readonly look?: Partial<RelayLook>;
  readonly stands?: 'leading' | 'standing by';
  /** Halts and dead letters have notifications of their own. */
  readonly isToldOtherwise?: boolean;
}

const sender = (code: ErrorCode, type = ''): Kind => ({
  ...{ part: 'sender', isWhole: true },
  fault: new RelayError(code, 'for the test', { details: { type } }),
});
const writer = (code: ErrorCode): Kind => ({
  ...{ part: 'source orders', isWhole: true, stands: 'leading' },
  fault: new RelayError(code, 'for the test'),
});
const lane = (changes: Partial<RelayLook['lanes'][number]>): Pick<RelayLook, 'lanes'> => ({
  lanes: [{ ...LANE, deliveredId: 1, ...changes }],
});

const KINDS: Readonly<Record<StallCause, Kind>> = {
  'kafka-unreachable': sender('KAFKA_UNREACHABLE', 'CONNECTION'),
  'kafka-refused': sender('KAFKA_REFUSED', 'SASL'),
  'kafka-unsupported': sender('KAFKA_UNSUPPORTED'),
  'kafka-fenced': sender('KAFKA_FENCED', 'INVALID_PRODUCER_EPOCH'),
  'kafka-throttled': sender('KAFKA_UNREACHABLE', 'REQUEST_TIMEOUT'),
  'coordinator-away': sender('KAFKA_UNREACHABLE', 'COORDINATOR_NOT_AVAILABLE'),
  'topic-missing': sender('KAFKA_TOPIC_MISSING', 'UNKNOWN_TOPIC_OR_PARTITION'),
  'topic-refused': sender('KAFKA_REFUSED', 'TOPIC_AUTHORIZATION_FAILED'),
  'topic-leaderless': sender('KAFKA_UNREACHABLE', 'LEADER_NOT_AVAILABLE'),
  'topic-in-sync-loss': sender('KAFKA_OUTCOME_UNKNOWN', 'NOT_ENOUGH_REPLICAS'),
  'row-refused': {
    part: 'rows set aside',
    isWhole: false,
    look: { aside: { retrying: 1, parked: 2, waiting: 0, dead: 0 } },
  },
  'dead-letters': {
    ...{ part: 'rows set aside', isWhole: false, isToldOtherwise: true },
    look: { aside: { retrying: 0, parked: 0, waiting: 0, dead: 1 } },
  },
  'database-unreachable': writer('DB_UNREACHABLE'),
  'database-refused': writer('DB_REFUSED'),
  'database-read-only': writer('DB_READ_ONLY'),
  'database-full': writer('DB_FULL'),
  'database-busy': writer('DB_TRANSIENT'),
  'database-error': writer('DB_UNKNOWN'),
  'database-schema': writer('SOURCE_TABLE_MISSING'),
  'source-halted': {
    ...{ part: 'source orders', isWhole: true, stands: 'standing by', isToldOtherwise: true },
    look: { sources: [{ ...SOURCE, halted: 'a column went' }] },
  },
  'gaps-at-bound': { part: 'source orders', isWhole: false, stands: 'leading' },
  'no-leader': {
    ...{ part: 'source orders', isWhole: true, stands: 'standing by' },
    look: { sources: [{ ...SOURCE, leader: 'gone' }] },
  },
  'redis-unreachable': {
    ...{ part: 'source orders', isWhole: true, stands: 'standing by' },
    look: { sources: [{ ...SOURCE, leader: 'gone' }] },
  },
  'no-sender': {
    ...{ part: 'senders', isWhole: false, stands: 'standing by' },
    look: { sources: [{ ...SOURCE, leader: 'other' }], members: [{ ...MEMBER, id: 'other', kind: 'writer' }] },
  },
  'lane-not-held': { part: 'lane 0', isWhole: false, look: lane({ holder: 'gone' }) },
  'lane-halted': {
    part: 'lane 0',
    isWhole: false,
    isToldOtherwise: true,
    look: lane({ state: 'halted', why: 'marker' }),
  },
  'lane-paused': { part: 'lane 0', isWhole: false, look: lane({ state: 'paused', why: 'broker move' }) },
  unknown: sender('INTERNAL', 'something new'),
};

/** Lets the fact stand for the time, and hears what everybody tells. */
async function tellAll(cause: StallCause, kind: Kind) {
  const isWriter = kind.stands !== undefined;
  const roles = { writer: isWriter, sender: !isWriter };
  const monitor = new StallMonitor({ roles, writerId: 'w', senderId: 'me', stallMs: STALL_MS });
  const look: RelayLook = { ...FLOWING, ...kind.look };
  const progress = isWriter ? monitor.watchSource('orders', 0) : monitor.sender;
  if (kind.stands === 'leading') monitor.onWriterEvent({ kind: 'elected', source: 'orders' }, 0);
  if (cause === 'redis-unreachable') {
    const waits = { cause: 'ECONNREFUSED', fallbackInMs: 0, database: 'no lock' };
    monitor.onWriterEvent({ kind: 'election-waits', source: 'orders', ...waits }, 0);
  }
  if (kind.stands === 'leading' || kind.fault !== undefined) progress.due(0);
  const told: Notification[] = [];
  const lines: { readonly event?: string; readonly cause?: string; readonly part?: string; readonly text: string }[] =
    [];
  const reports: (string | null)[] = [];
  const metrics = createMetrics(roles);
  const logger = { ...silentLogger, error: (facts: object, text: string) => void lines.push({ ...facts, text }) };
  const notifier = createNotifier({
    instance: 'i',
    afterAttempts: 1,
    callback: (each) => void told.push(each),
    logger,
  });
  let nowMs = 0;
  const ended = new AbortController();
  const clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: async (ms: number) => {
      await nextTurn();
      nowMs += ms / 2;
      if (cause === 'kafka-throttled') {
        monitor.onSenderEvent({ kind: 'throttled', broker: 'b:9092', waitMs: 900, lastMinuteMs: 50_000 }, nowMs);
      }
      if (cause === 'gaps-at-bound') {
        monitor.onWriterEvent({ kind: 'gaps-at-bound', source: 'orders', gaps: 1 }, nowMs);
        progress.idle(nowMs);
      }
      if (kind.fault !== undefined) progress.failed(kind.fault, nowMs);
      // Delivery goes on beside what stands in part.
      else if (!isWriter)
        monitor.onSenderEvent({ kind: 'delivered', rows: 1, bytes: 1, lanes: [0], transactionMs: 1 }, nowMs);
      if (kind.fault === undefined && !isWriter) progress.moved(nowMs);
      if (nowMs > 3 * STALL_MS) ended.abort();
    },
  };
  const operator = {
    listWatermarks: async () =>
      look.sources.map(({ name, leader, halted }) => {
        return { source: name, leader, state: halted === null ? 'running' : 'halted', why: halted };
      }),
    outboxStatistics: async () => look.backlog,
    listLanes: async () => look.lanes,
    listMembers: async () => look.members,
    countAside: async () => look.aside,
    listQueues: async () => [],
    reportStalls: async (_id: string, text: string | null) => void reports.push(text),
  } as unknown as Operator;
  const options = { monitor, operator, memberIds: ['me'], roles, stallMs: STALL_MS, clock, logger, metrics, notifier };
  await watchStalls(options, ended.signal);
  return { monitor, nowMs, told, lines, reports, look, metrics: await metrics.render() };
}

/** As `status` reads them from the tables, where the process has written what it met. */
function statusOf(look: RelayLook, report: string | null) {
  const stalls = readStalls(report);
  const reporting = { ...MEMBER, id: 'reporter', kind: 'waiting', stalls } as const;
  const lanes = look.lanes.map((each) => {
    const lease = each.leaseExpired ? 'lapsed' : each.holder === null ? 'free' : 'running';
    const { rows: backlog = 0, oldestAgeMs = null } = look.backlog.find(({ lane: of }) => of === each.lane) ?? {};
    return { ...LANE, ...each, lease, backlog, oldestAgeMs, claimEpoch: 1, marker: 1, capped: false } as const;
  });
  const sources = look.sources.map((each) => ({ ...each, watermark: 1n, highest: 5n, distance: 4n }));
  return statusStalls({ sources, lanes, members: [...look.members, reporting], aside: look.aside }, STALL_MS);
}

describe('all who tell of a stall name its one cause', () => {
  for (const [cause, kind] of Object.entries(KINDS) as [StallCause, Kind][]) {
    test(cause, async () => {
      const { monitor, nowMs, told, lines, reports, look, metrics } = await tellAll(cause, kind);
      const found = monitor.stalls(nowMs);
      assert.deepEqual(
        found.map((stall) => [stall.part, stall.cause, monitor.isWhole(stall)]),
        [[kind.part, cause, kind.isWhole]],
        'health',
      );
      const said = lines.filter(({ event }) => event === 'stalled');
      assert.deepEqual(
        [...new Set(said.map((line) => `${line.part} ${line.cause}`))],
        [`${kind.part} ${cause}`],
        'log',
      );
      assert.ok(said[0]?.text.startsWith(`${kind.part}: `) && said[0].text.includes(`: ${cause}: `), 'log');
      assert.match(metrics, new RegExp(`^kafka_row_sender_stalled_parts\\{cause="${cause}"\\} 1$`, 'm'), 'gauge');
      assert.match(metrics, new RegExp(`^kafka_row_sender_stalls_total\\{cause="${cause}"\\} 1$`, 'm'), 'counter');
      const notified = told.map((each) => `${each.kind} ${each.part} ${each.cause}`);
      assert.deepEqual(notified, kind.isToldOtherwise ? [] : [`stalled ${kind.part} ${cause}`], 'webhook');
      const stalls = statusOf(look, reports.at(-1) ?? null);
      assert.ok(
        stalls.some((each) => each.part === kind.part && each.cause === cause),
        'status',
      );
      const judged = doctorStalls.look({ relay: { status: { stalls } } } as unknown as Facts);
      assert.ok(
        judged.some(({ about, says }) => about === kind.part && says.includes(`: ${cause}: `)),
        'doctor',
      );
    });
  }
});
