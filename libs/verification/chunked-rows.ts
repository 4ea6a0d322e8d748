/** Rows that were sent in chunks: one row when all of them are there, and none as long as they are not. */
import { CHUNKS_MAX, type MessageHeaders, readChunkPlace } from '#chunking';

export interface MaybeChunk {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly rawHeaders: MessageHeaders | null;
}

/** Memory: a bit of each chunk of unfinished groups. */
export class ChunkedRows {
  readonly #open = new Map<string, Set<number>>();

  /**
   * The key of the row whose last missing chunk this is, or of a record that is no chunk; null for all other chunks. Chunks of a
   * row without a key have their group as key.
   */
  whole({ topic, partition, key, rawHeaders }: MaybeChunk): { readonly key: Buffer | null } | null {
    const place = readChunkPlace(rawHeaders ?? {});
    if (place === null) return { key };
    // Nothing that this relay writes: a joiner buries it.
    if (typeof place === 'string' || place.count > CHUNKS_MAX) return null;
    const { group, id, count } = place;
    const name = `${topic}/${partition}/${group.toString('hex')}`;
    const seen = this.#open.get(name) ?? new Set();
    this.#open.set(name, seen.add(id));
    if (seen.size < count) return null;
    this.#open.delete(name);
    return { key: key?.equals(group) ? null : key };
  }
}
