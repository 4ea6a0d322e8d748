/** Which position had been sighted a grace ago: kept coarsely, since a gap may stay open a moment longer. */
const APART_MS = 50;

interface Sighting {
  readonly position: bigint;
  readonly liveMs: number;
}

export class Sightings {
  readonly #graceMs: number;
  #waiting: Sighting[] = [];
  #ripe = 0n;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** The highest position sighted. */
  get highest(): bigint {
    return this.#waiting.at(-1)?.position ?? this.#ripe;
  }

  sight(position: bigint, liveMs: number): void {
    if (position <= this.highest) return;
    const last = this.#waiting.at(-1);
    const before = this.#waiting.at(-2);
    // The last one moves up while it is young, so that the list stays short.
    if (last !== undefined && liveMs - (before?.liveMs ?? Number.NEGATIVE_INFINITY) < APART_MS) this.#waiting.pop();
    this.#waiting.push({ position, liveMs });
  }

  /** The highest position sighted at least a grace ago. */
  ripe(liveMs: number): bigint {
    while (this.#waiting[0] !== undefined && liveMs - this.#waiting[0].liveMs >= this.#graceMs) {
      this.#ripe = (this.#waiting.shift() as Sighting).position;
    }
    return this.#ripe;
  }

  /** Positions are handed out anew. */
  forget(): void {
    this.#waiting = [];
    this.#ripe = 0n;
  }
}
