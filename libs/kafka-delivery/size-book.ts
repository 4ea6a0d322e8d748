/**
 * What topics and brokers take, in bytes: as they said when asked, or by what they refused where we may not ask. Lives as long as
 * the port, across sessions. Pure.
 */
import type { Clock } from '#runtime';

/** A limit that nothing has run into is asked for again so much later. */
const AGE_MS_MAX = 5 * 60_000;
/** One that rows ran into, in case somebody has raised it: soon at first, and less and less often while it stands. */
const RECHECK_MS = { first: 1_000, max: 60_000 };
/** Names kept; one too many forgets them all, which costs asking again. */
const NAMES_MAX = 10_000;

interface Known {
  /** Null: whoever was asked does not tell. */
  readonly bytesMax: number | null;
  readonly sinceMs: number;
  recheckMs: number;
  /** By a refusal: counts until it is time to try again. */
  readonly learnt: boolean;
}

export class SizeBook {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What `name` takes at most; null: not known. */
  of(name: string): number | null {
    const known = this.#known.get(name);
    if (known === undefined || (known.learnt && this.#ageMs(known) > known.recheckMs)) return null;
    return known.bytesMax;
  }

  /** True when it is to be asked for: `hit` says that something does not fit it. */
  isDue(name: string, hit = false): boolean {
    const known = this.#known.get(name);
    if (known === undefined) return true;
    const ageMs = this.#ageMs(known);
    if (known.learnt) return false;
    return ageMs > (hit ? known.recheckMs : AGE_MS_MAX);
  }

  told(name: string, bytesMax: number | null): void {
    const known = this.#known.get(name);
    // A limit that still stands is asked for less often; where nobody tells, what was learnt stays.
    if (bytesMax === null && known?.learnt) return;
    const stands = known !== undefined && known.bytesMax === bytesMax && !known.learnt;
    const recheckMs = stands ? Math.min(known.recheckMs * 2, RECHECK_MS.max) : RECHECK_MS.first;
    this.#set(name, { bytesMax, sinceMs: this.#clock.nowMs(), recheckMs, learnt: false });
  }

  /** One record, as a batch or request of so many bytes, was refused. */
  refused(name: string, bytes: number): void {
    const known = this.#known.get(name);
    // Whoever tells is asked again, and believed.
    if (known !== undefined && !known.learnt && known.bytesMax !== null) {
      this.#known.delete(name);
      return;
    }
    const again = known?.learnt === true && bytes <= (known.bytesMax ?? 0) + 1;
    const recheckMs = again ? Math.min(known.recheckMs * 2, RECHECK_MS.max) : RECHECK_MS.first;
    const bytesMax = Math.min(bytes - 1, known?.learnt ? (known.bytesMax ?? bytes) : bytes);
    this.#set(name, { bytesMax, sinceMs: this.#clock.nowMs(), recheckMs, learnt: true });
  }

  #ageMs({ sinceMs }: Known): number {
    return this.#clock.nowMs() - sinceMs;
  }

  #set(name: string, known: Known): void {
    if (this.#known.size >= NAMES_MAX) this.#known.clear();
    this.#known.set(name, known);
  }
}
