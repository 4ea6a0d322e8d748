/** Markers as a port sees them: read with what is noted beside them, and settled only with the records sent with them. */
import { type Acknowledged, isUndecided } from './acknowledged.ts';
import type { Brokers } from './brokers.ts';
import { isStanding } from './is-standing.ts';
import { type KafkaSettings, markerName } from './kafka-options.ts';
import type { MarkerNote } from './marker-note.ts';
import { readMarkers, readSettledMarkers } from './read-markers.ts';

export class MarkerBook {
  /** Beside the lane markers read last. */
  readonly notes = new Map<number, MarkerNote>();
  readonly #brokers: Brokers;
  readonly #settings: KafkaSettings;
  /** Of the present session of each transactional id opened here. */
  readonly #sent = new Map<string, Acknowledged>();

  constructor(brokers: Brokers, settings: KafkaSettings) {
    this.#brokers = brokers;
    this.#settings = settings;
  }

  opened(transactionalId: string, acknowledged: Acknowledged): void {
    this.#sent.set(transactionalId, acknowledged);
  }

  async read(kind: 'lane' | 'retry', lanes: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const found = await readMarkers(this.#brokers, this.#settings, kind, lanes);
    for (const [lane, { note }] of kind === 'lane' ? found : []) {
      if (note === null) this.notes.delete(lane);
      else this.notes.set(lane, note);
    }
    return new Map([...found].map(([lane, { value }]) => [lane, value]));
  }

  async settled(kind: 'lane' | 'retry', lanes: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const sent = [...this.#sent.values()];
    for (const each of sent) {
      await each.look(
        (ends) => isUndecided(this.#brokers, each.identity.producerId, ends),
        () => isStanding(this.#brokers, this.#settings, each.identity),
      );
    }
    // Asked after the look: a marker seen now may not be taken for one of those looked at.
    const found = await readSettledMarkers(this.#brokers, this.#settings, kind, lanes);
    const capped = (lane: number, value: number) =>
      sent.reduce((least, each) => each.cap(markerName(kind, lane), least), value);
    return new Map([...found].map(([lane, value]) => [lane, capped(lane, value)]));
  }
}
