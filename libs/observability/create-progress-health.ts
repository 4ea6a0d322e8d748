/**
 * Health means progress: a process that has work and does none for too long is unhealthy, however alive its event loop
 * is. Idle is healthy, and so is a standby. Each thing that must progress on its own is a subject: a source, a track.
 */
import { type Clock, Progress } from '#runtime';

/** Subjects are sources and tracks of one process; more than this is a defect of the caller, and the rest is not watched. */
const SUBJECTS_MAX = 2048;

export interface ProgressHealthOptions {
  readonly clock: Clock;
  /** Work without progress for this long is unhealthy, in milliseconds; above the longest deadline of one step. */
  readonly stallMs: number;
}

export interface ProgressHealth {
  /** There is work: from the first call on, progress is due within `stallMs`. Calling it again changes nothing. */
  working(subject: string): void;
  /** A step was done. If there is more work, the time starts anew. */
  progressed(subject: string): void;
  /** There is nothing to do: idle, or standby. */
  idle(subject: string): void;
  /** Cannot progress by itself (halted by an invariant): unhealthy until `idle` or `progressed`. */
  stuck(subject: string, why: string): void;
  /** The subject is somebody else's now. */
  forget(subject: string): void;
  health(): { readonly healthy: boolean; readonly reasons: readonly string[] };
}

interface Subject {
  readonly progress: Progress;
  /** Why it cannot progress by itself. */
  why: string | null;
}

export function createProgressHealth(options: ProgressHealthOptions): ProgressHealth {
  const { clock, stallMs } = options;
  const subjects = new Map<string, Subject>();
  const of = (name: string): Subject => {
    const subject = subjects.get(name) ?? { progress: new Progress(), why: null };
    if (subjects.size < SUBJECTS_MAX) subjects.set(name, subject);
    return subject;
  };
  const reasonFor = (name: string, { progress, why }: Subject, nowMs: number): string | null => {
    if (why !== null) return `${name}: ${why}`;
    const standingMs = progress.standingMs(nowMs);
    if (standingMs < stallMs) return null;
    return `${name}: has work but made no progress for ${Math.floor(standingMs / 1000)} s`;
  };
  return {
    working: (name) => of(name).progress.due(clock.nowMs()),
    progressed: (name) => {
      const subject = of(name);
      subject.progress.moved(clock.nowMs());
      subject.why = null;
    },
    idle: (name) => {
      const subject = of(name);
      subject.progress.idle(clock.nowMs());
      subject.why = null;
    },
    stuck: (name, why) => {
      of(name).why = why;
    },
    forget: (subject) => void subjects.delete(subject),
    health: () => {
      const nowMs = clock.nowMs();
      const reasons = [...subjects].map(([name, state]) => reasonFor(name, state, nowMs)).filter((why) => why !== null);
      return { healthy: reasons.length === 0, reasons };
    },
  };
}
