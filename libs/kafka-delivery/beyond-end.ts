/**
 * Positions that brokers call out of range. Before the log begins: retention has deleted what was there. Behind its end: the log
 * has lost records, or a broker answers that is the leader no more; going back for that one would handle everything again.
 */

/** Longer than a broker stays a leader that the cluster has given up (broker.session.timeout.ms is 9 s). */
const PROVEN_AFTER_MS = 15_000;

interface Sighting {
  readonly position: number;
  readonly sinceMs: number;
}

export class BeyondEnd {
  readonly #sightings = new Map<string, Sighting>();

  /** Whether the partition is to be read from `start`, where its log begins. */
  isLost(place: string, position: number, start: number, nowMs: number): boolean {
    const seen = this.#sightings.get(place);
    const since = seen?.position === position ? seen.sinceMs : nowMs;
    const isLost = start > position || nowMs - since >= PROVEN_AFTER_MS;
    if (isLost) this.#sightings.delete(place);
    else this.#sightings.set(place, { position, sinceMs: since });
    return isLost;
  }

  /** The position was in range after all. */
  forget(place: string): void {
    this.#sightings.delete(place);
  }
}
