/**
 * A writer's life for one source: stand by until elected, begin a term (which fences every earlier one), step until the
 * lock is lost, the term is fenced, a fault comes or the process stops; then start over. Faults of the world are waited out
 * with backoff. A fault of the data halts the source for every writer until an operator accepts it: they wait, and go on then. Any
 * other lasting fault ends this source here and leaves the others running (I8; source-halts.ts has the table).
 */
import { asRelayError, backoffMs, Progress } from '#runtime';
import { type Known, openTerm } from './open-term.ts';
import type { LeaderTerm } from './ports.ts';
import type { RunSourceOptions } from './run-source-options.ts';
import { ANSWERS, lastingCodeOf } from './source-halts.ts';
import { Wake } from './wake.ts';

/** How often a writer asks whether a halted source may go on. */
const HALTED_LOOK_MS = 2_000;
const PACE_MIN_MS = 4;
const PACE_GROWTH = 1.5;
/** A deadlock is tried again at once so many times in a row. */
const TRANSIENT_SOON_MAX = 5;
const TRANSIENT_PAUSE_MS = 50;

interface Life {
  readonly signal: AbortSignal;
  readonly wake: Wake;
  readonly known: Known;
  readonly progress: Progress;
}

type TermEnd = 'stopped' | 'lock-lost' | 'fenced' | 'handed-over';

/** Runs until the signal aborts. Rejects only with a lasting fault that is none of the data: this process gives the source up. */
export async function runSource(options: RunSourceOptions, signal: AbortSignal): Promise<void> {
  const wake = new Wake();
  const hush = options.doorbell.listen((ring) => {
    if ((ring.kind === 'leader-gone' || ring.kind === 'source-rows') && ring.source === options.source) wake.ring();
  });
  const stop = () => wake.ring();
  signal.addEventListener('abort', stop);
  const known: Known = { nextSequence: 0 };
  const progress = options.progress ?? new Progress();
  let standing = false;
  try {
    while (!signal.aborted) {
      wake.clear();
      const lock = options.mayLead() ? await options.election.tryAcquire(options.source) : null;
      if (lock === null) {
        if (!standing) options.onEvent({ kind: 'standing-by', source: options.source });
        standing = true;
        progress.standBy();
        await wake.wait(options.clock, options.electionIntervalMs);
        continue;
      }
      standing = false;
      options.onEvent({ kind: 'elected', source: options.source });
      const delayMs = await leadOnce(options, lock, { signal, wake, known, progress });
      if (delayMs === 'halted') {
        await untilAccepted(options, signal);
        // What an operator has accepted may lie behind what this process knows.
        known.nextSequence = 0;
        progress.standBy();
      } else if (delayMs !== null) await options.clock.sleep(delayMs, signal);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    hush();
  }
}

/** Waits while the source is halted; a database that is away says nothing of it. */
async function untilAccepted(options: RunSourceOptions, signal: AbortSignal): Promise<void> {
  const { store, source, clock } = options;
  const isHalted = async (): Promise<boolean> => {
    try {
      return (await store.loadWatermark(source))?.state === 'halted';
    } catch (thrown) {
      if (asRelayError(thrown).verdict !== 'retry') throw thrown;
      return true;
    }
  };
  do await clock.sleep(HALTED_LOOK_MS, signal);
  while (!signal.aborted && (await isHalted()));
  if (!signal.aborted) options.onEvent({ kind: 'source-resumed', source });
}

/** One term under the lock. Resolves to the pause before the next attempt, or null after a term that ended well. */
async function leadOnce(options: RunSourceOptions, lock: LeaderTerm, life: Life): Promise<number | 'halted' | null> {
  let why: TermEnd | null = null;
  try {
    why = await term(options, lock, life);
    options.onEvent({ kind: 'term-ended', source: options.source, why });
    return why === 'handed-over' ? options.electionIntervalMs * 4 : null;
  } catch (thrown) {
    const error = asRelayError(thrown);
    const facts = {
      source: options.source,
      code: error.code,
      message: error.message,
    };
    options.onEvent({
      kind: 'term-ended',
      source: options.source,
      why: 'fault',
    });
    const lasting = lastingCodeOf(error);
    if (lasting !== null && ANSWERS[lasting] !== 'wait') {
      options.onEvent({ kind: 'source-halted', ...facts });
      if (lasting === 'SOURCE_HALTED') return 'halted';
      throw error;
    }
    const attempt = life.progress.failed(error, options.clock.nowMs());
    // Deadlocks and lock waits pass by themselves, unless they come again and again; the rest is waited out at the configured pace.
    const isSoon = error.code === 'DB_TRANSIENT' && attempt <= TRANSIENT_SOON_MAX;
    const delayMs = isSoon
      ? TRANSIENT_PAUSE_MS * options.random()
      : backoffMs(attempt, options.backoff, options.random);
    options.onEvent({ kind: 'writer-retry', ...facts, attempt, delayMs });
    return delayMs;
  } finally {
    await lock.release(why === 'fenced' ? why : null);
  }
}

async function term(options: RunSourceOptions, lock: LeaderTerm, life: Life): Promise<TermEnd> {
  const { signal, wake, known, progress } = life;
  progress.due(options.clock.nowMs());
  const current = await openTerm(options, known);
  const lost = () => wake.ring();
  lock.signal.addEventListener('abort', lost);
  try {
    let paceMs = PACE_MIN_MS;
    while (!signal.aborted) {
      if (lock.signal.aborted) return 'lock-lost';
      if (options.shouldHandOver()) return 'handed-over';
      wake.clear();
      progress.due(options.clock.nowMs());
      const outcome = await current.step();
      // Gaps that closed without a row were looked at, and so were fresh rows: there are none.
      if (outcome.kind === 'moved' && outcome.lanes.length > 0) progress.moved(options.clock.nowMs());
      else if (outcome.kind !== 'fenced' && !(outcome.kind === 'moved' && outcome.full))
        progress.idle(options.clock.nowMs());
      if (outcome.kind === 'fenced') return 'fenced';
      if (outcome.kind === 'moved' && outcome.lanes.length > 0)
        options.doorbell.ring({ kind: 'rows', lanes: outcome.lanes });
      if (outcome.kind === 'moved' && outcome.full) continue;
      paceMs =
        outcome.kind === 'moved'
          ? PACE_MIN_MS
          : Math.min(options.pollIntervalMs, paceMs * (options.paceGrowth ?? PACE_GROWTH));
      // Either may have come while the wake-up was being cleared.
      if (signal.aborted || lock.signal.aborted) continue;
      await wake.wait(options.clock, Math.min(paceMs, current.gapsDueInMs ?? paceMs));
    }
    return 'stopped';
  } finally {
    lock.signal.removeEventListener('abort', lost);
  }
}
