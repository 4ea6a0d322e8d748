/** The transactional ids that a port has opened or fenced: their producers, and where something of them may still be open. */
import type { Acknowledged } from './acknowledged.ts';
import type { LandedQuestion } from './find-landed.ts';
import { type PartitionPlace, placeName } from './find-producers.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

export class KnownProducers {
  readonly #identities = new Map<string, ProducerIdentity>();
  readonly #unseen = new Map<string, ReadonlyMap<string, PartitionPlace>>();
  #own: string | null = null;

  opened({ identity }: Pick<Acknowledged, 'identity'>): void {
    this.#identities.set(identity.transactionalId, identity);
    this.#own = identity.transactionalId;
  }

  fenced(identity: ProducerIdentity): void {
    this.#identities.set(identity.transactionalId, identity);
  }

  /** Partitions that could not be asked what is open in them. A session takes out those that it has asked since. */
  unseen(transactionalId: string, places: ReadonlyMap<string, PartitionPlace>): void {
    this.#unseen.set(transactionalId, places);
  }

  /** What `findLanded` is to know of them. */
  question(transactionalIds: readonly string[]): Pick<LandedQuestion, 'producers' | 'unseen'> {
    const known = transactionalIds.flatMap((id) => this.#identities.get(id) ?? []);
    return {
      producers: new Map(known.map(({ producerId, transactionalId }) => [producerId, transactionalId])),
      unseen: new Set(transactionalIds.flatMap((id) => [...(this.#unseen.get(id)?.keys() ?? [])])),
    };
  }

  /** The producer that was opened here last, if it is of this id. */
  own = (transactionalId: string): ProducerIdentity | null =>
    this.#own === transactionalId ? (this.#identities.get(transactionalId) ?? null) : null;
}

export const byPlaceName = (places: readonly PartitionPlace[]): Map<string, PartitionPlace> =>
  new Map(places.map((place) => [placeName(place), place]));
