/**
 * The time that records carry: this process's, until a broker refuses it as too far from its own. From then on each session
 * begins with the brokers' time, as its transaction coordinator tells it, counted on by the monotonic clock: a process whose
 * clock is hours ahead delivers all the same, and says so.
 */
import type { Clock, Logger } from '#runtime';

export interface RecordTime {
  /** A broker has refused the time: sessions to come ask. */
  readonly refused: () => void;
  /**
   * The time of a session that begins now, in milliseconds since the epoch. It stays one clock for as long as the session
   * lives: what is read back of it is found by these times. `askAheadMs`: how far the brokers' clock is ahead of ours, null
   * where they do not tell; called only when there is doubt, and its rejections go through.
   */
  begin(askAheadMs: () => Promise<number | null>): Promise<() => number>;
}

/** A clock that is set back stands still until it has caught up. */
function neverBack(timeMs: () => number): () => number {
  let lastMs = 0;
  return () => {
    lastMs = Math.max(lastMs, timeMs());
    return lastMs;
  };
}

/** Below this nothing is amiss any more, though the brokers' time is still taken. */
const NOTICEABLE_MS = 60_000;

export function createRecordTime({ clock, logger }: { clock: Clock; logger: Logger }): RecordTime {
  let doubted = false;
  return {
    refused: () => {
      doubted = true;
    },
    begin: async (askAheadMs) => {
      const aheadMs = doubted ? await askAheadMs() : null;
      if (aheadMs === null) return neverBack(() => clock.wallMs());
      const beganMs = clock.nowMs();
      const brokersMs = clock.wallMs() + aheadMs;
      logger[Math.abs(aheadMs) > NOTICEABLE_MS ? 'warn' : 'debug'](
        { event: 'clock-refused', aheadSeconds: Math.round(-aheadMs / 1_000) },
        "Kafka refused the time of this process: records carry the brokers' time; synchronise the clocks",
      );
      return () => Math.round(brokersMs + clock.nowMs() - beganMs);
    },
  };
}
