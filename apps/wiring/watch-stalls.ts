/** Looks whether rows move, and tells whoever wants to know when they do not: log, metrics, webhook, and the table of members. */
import type { Notifier } from '#notification';
import type { Metrics } from '#observability';
import type { WatermarkState } from '#outbox';
import { asRelayError, type Clock, explainStall, type Logger, type Stall, withDeadline, writeStalls } from '#runtime';
import type { RelayLook } from './judge-stalls.ts';
import type { Operator } from './operator.ts';
import type { StallMonitor } from './stall-monitor.ts';
import { waitingTargets } from './waiting-targets.ts';

export interface StallWatchOptions {
  readonly monitor: StallMonitor;
  readonly operator: Operator;
  /** Where this process tells of its stalls. */
  readonly memberIds: readonly string[];
  readonly roles: { readonly writer: boolean; readonly sender: boolean };
  readonly stallMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly notifier: Pick<Notifier, 'onStall' | 'onStallsEnd' | 'onIdle'>;
  /** Rows of a lane that are counted at most; absent: as many as `status` counts. */
  readonly countMax?: number;
  /** Sees every look, for gauges of its own. */
  readonly onLook?: (look: RelayLook) => void;
}

const LOOK_MS_MAX = 5_000;
const JUDGE_MS_MAX = 1_000;
/** A look that takes longer than this has failed, whatever hangs. */
const LOOK_DEADLINE_MS = 30_000;
/** What stands is said again in the log, and told again by the webhook, which gives up after a day. */
const SAID_EVERY_MS = 10 * 60_000;
const TOLD_EVERY_MS = 60 * 60_000;
const TOLD_MAX = 24;

interface Known {
  readonly stall: Stall;
  saidMs: number;
  toldMs: number;
  told: number;
}

const keyOf = ({ part, cause }: Stall): string => `${part} ${cause}`;

/** Runs until the signal aborts; never rejects. */
export async function watchStalls(options: StallWatchOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([look(options, signal), judge(options, signal)]);
}

async function look(options: StallWatchOptions, signal: AbortSignal): Promise<void> {
  const { monitor, operator, clock, logger, stallMs, countMax } = options;
  const report = createReport(options);
  while (!signal.aborted) {
    try {
      const found = await withDeadline(readLook(operator, countMax), LOOK_DEADLINE_MS, 'looking at what waits');
      options.onLook?.(found);
      monitor.looked(found, clock.nowMs());
      await report();
    } catch (thrown) {
      const error = asRelayError(thrown);
      monitor.lookFailed(error);
      logger.debug({ err: error }, 'what waits was not looked at');
    }
    await clock.sleep(Math.min(LOOK_MS_MAX, stallMs / 4), signal);
  }
}

/** Counts are bounded, so that looking never becomes the load. */
async function readLook(operator: Operator, countMax?: number): Promise<RelayLook> {
  const lanes = await operator.listLanes();
  return {
    sources: (await operator.listWatermarks()).map(sourceLook),
    backlog: await operator.outboxStatistics(countMax),
    lanes,
    members: await operator.listMembers(),
    aside: await operator.countAside(),
    waiting: waitingTargets(await operator.listQueues(lanes.map(({ lane }) => lane))),
  };
}

const sourceLook = ({ source, leader, state, why }: WatermarkState): RelayLook['sources'][number] => ({
  name: source,
  leader,
  halted: state === 'halted' ? why : null,
  mayWait: true,
});

/** Written while something stands, and once when nothing does any more. */
function createReport({ monitor, operator, memberIds, clock }: StallWatchOptions): () => Promise<void> {
  let wasReported = true;
  return async () => {
    const text = writeStalls(monitor.stalls(clock.nowMs()));
    if (text === null && !wasReported) return;
    for (const id of memberIds) await operator.reportStalls(id, text);
    wasReported = text !== null;
  };
}

async function judge(options: StallWatchOptions, signal: AbortSignal): Promise<void> {
  const { clock, stallMs } = options;
  const known = new Map<string, Known>();
  let failing: ReadonlySet<string> = new Set();
  while (!signal.aborted) {
    tell(options, known);
    const before = failing;
    failing = options.monitor.failing();
    for (const part of before) if (!failing.has(part)) options.notifier.onIdle(part);
    await clock.sleep(Math.min(JUDGE_MS_MAX, stallMs / 4), signal);
  }
}

function tell(
  { monitor, roles, clock, logger, metrics, notifier }: StallWatchOptions,
  known: Map<string, Known>,
): void {
  const nowMs = clock.nowMs();
  const stalls = monitor.stalls(nowMs);
  for (const role of ['writer', 'sender'] as const) {
    if (roles[role]) metrics.stalls.standing(role, monitor.standingMs(role, nowMs));
  }
  metrics.stalls.stalled(stalls.map(({ cause }) => cause));
  const now = new Set(stalls.map(keyOf));
  for (const [key, { stall }] of known) {
    if (now.has(key)) continue;
    known.delete(key);
    logger.info({ event: 'flowing', part: stall.part, cause: stall.cause }, `${stall.part}: stands no longer`);
    // A part that goes on standing for another reason has not recovered.
    if (!stalls.some(({ part }) => part === stall.part)) notifier.onStallsEnd(stall);
  }
  for (const stall of stalls) {
    const before = known.get(keyOf(stall));
    const entry = before ?? { stall, saidMs: Number.NEGATIVE_INFINITY, toldMs: Number.NEGATIVE_INFINITY, told: 0 };
    if (before === undefined) metrics.stalls.began(stall.cause);
    known.set(keyOf(stall), entry);
    if (nowMs - entry.saidMs >= SAID_EVERY_MS) {
      entry.saidMs = nowMs;
      logger.error({ event: 'stalled', ...stall }, explainStall(stall));
    }
    if (nowMs - entry.toldMs >= TOLD_EVERY_MS && entry.told < TOLD_MAX) {
      entry.toldMs = nowMs;
      entry.told += 1;
      notifier.onStall(stall);
    }
  }
}
