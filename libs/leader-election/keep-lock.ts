/** Keeps one lock of a term: renews it, and takes it again where it is not held. */
import type { Clock } from '#runtime';
import type { Away, HeldLock, LockService } from './lock-service.ts';

const WOKEN = 'woken';

/** `elsewhere`: not ours, and somebody has it. */
export type Look = { readonly kind: 'held' | 'lost' | 'elsewhere' } | Away;

export interface KeepOptions {
  readonly source: string;
  readonly service: LockService;
  /** Null: the term began without this lock. */
  readonly lock: HeldLock | null;
  readonly clock: Clock;
  /** Monotonic time at which the attempt that won the lock began, in milliseconds. */
  readonly startedMs: number;
  /** From the start of one renewal to the next. */
  readonly everyMs: number;
  /** After no answer, and while the lock is not held, if the service does not come back earlier. */
  readonly againMs: number;
  /** Told what each attempt found; `startedMs`: when it began. */
  readonly onLook: (look: Look, startedMs: number) => void;
}

export interface KeptLock {
  /** Resolves when nothing is under way any more; the lock that is then held, if any, is the caller's to release. */
  stopped(): Promise<HeldLock | null>;
}

/** Goes on until the signal aborts; never rejects. */
export function keepLock(ended: AbortSignal, options: KeepOptions): KeptLock {
  const { source, service, clock, onLook } = options;
  let lock = options.lock;
  let wake = new AbortController();
  // A reason of our own: without one, every wake-up would cost a DOMException with its stack.
  const wakeUp = () => wake.abort(WOKEN);

  const attempt = async (): Promise<Look> => {
    if (lock === null) {
      const acquired = await service.acquire(source);
      if (acquired.kind === 'held') return { kind: 'elsewhere' };
      if (acquired.kind === 'away') return acquired;
      lock = acquired.lock;
      return { kind: 'held' };
    }
    const renewed = await lock.renew();
    if (renewed.kind === 'lost') lock = null;
    return renewed;
  };

  const keep = async () => {
    const stopListening = service.onReachable(wakeUp);
    ended.addEventListener('abort', wakeUp, { once: true });
    let startedMs = options.startedMs;
    let isHeld = lock !== null;
    while (!ended.aborted) {
      wake = new AbortController();
      // An answer that came late used up part of the time: the next attempt counts from the start of the last.
      const dueInMs = Math.max(0, startedMs + options.everyMs - clock.nowMs());
      await clock.sleep(isHeld ? dueInMs : Math.min(options.everyMs, options.againMs), wake.signal);
      if (ended.aborted) break;
      startedMs = clock.nowMs();
      const look = await attempt();
      isHeld = look.kind === 'held';
      if (!ended.aborted) onLook(look, startedMs);
    }
    stopListening();
  };
  const kept = keep();
  return {
    stopped: async () => {
      await kept;
      return lock;
    },
  };
}
