/**
 * Tells a record at which a broker closes the connection from a broker that is away: the first closes it again and again at the
 * same rows and answers everything else. A record larger than socket.request.max.bytes does that, and one that trips the
 * broker. Lives as long as the port. Pure.
 */
import type { Clock } from '#runtime';

/** Closings further apart have nothing to do with each other. */
const MEMORY_MS = 60_000;
/** The first may be chance: the rows are sent again. */
const CLOSINGS_MIN = 2;
/**
 * A second record is only blamed when the broker has taken others since the first one, when it is as large, or after so many
 * closings: one that closes every connection would be taken for one with many bad rows.
 */
const ALONE_MIN = 5;

interface Suspicion {
  closings: number;
  atMs: number;
  /** Closings in a row with one record under way. */
  alone: number;
  blamedBytes: number | null;
  takenSince: boolean;
}

export class Closings {
  readonly #clock: Clock;
  readonly #brokers = new Map<string, Suspicion>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The broker answers, and has closed the connection over this. `rows`: the records are to blame, as those that are refused;
   * `world`: they are sent again.
   */
  closed(broker: string, { records, bytes }: { readonly records: number; readonly bytes: number }): 'rows' | 'world' {
    const seen = this.#seen(broker);
    seen.closings += 1;
    seen.atMs = this.#clock.nowMs();
    const isLargest = seen.blamedBytes !== null && bytes >= seen.blamedBytes;
    if (records === 1 && isLargest) return 'rows';
    if (seen.closings < CLOSINGS_MIN) return 'world';
    if (records > 1) return 'rows';
    seen.alone += 1;
    if (seen.blamedBytes !== null && !seen.takenSince && seen.alone < ALONE_MIN) return 'world';
    seen.blamedBytes = bytes;
    seen.takenSince = false;
    seen.alone = 0;
    return 'rows';
  }

  /** It has acknowledged records. */
  taken(broker: string): void {
    const seen = this.#brokers.get(broker);
    if (seen === undefined) return;
    seen.takenSince = true;
    seen.alone = 0;
    if (seen.closings < CLOSINGS_MIN) seen.closings = 0;
  }

  /** It does not answer: what it closed says nothing of rows. */
  away(broker: string): void {
    this.#brokers.delete(broker);
  }

  #seen(broker: string): Suspicion {
    const known = this.#brokers.get(broker);
    if (known !== undefined && this.#clock.nowMs() - known.atMs <= MEMORY_MS) return known;
    const fresh = { closings: 0, atMs: 0, alone: 0, blamedBytes: null, takenSince: false };
    this.#brokers.set(broker, fresh);
    return fresh;
  }
}
