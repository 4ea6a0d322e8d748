/**
 * From the first to the last offset of every group that is done with. A commit in the middle of one would be a trap: after
 * a restart only its later chunks are read, which wait for the earlier ones in vain and end among the dead letters,
 * although the message was handled.
 */

interface Span {
  first: bigint;
  last: bigint;
}

export class JoinedSpans {
  /** By partition, then by group. */
  readonly #partitions = new Map<string, Map<string, Span>>();

  add(partition: string, group: string, offsets: readonly bigint[]): void {
    const first = offsets[0];
    const last = offsets.at(-1);
    if (first === undefined || last === undefined) return;
    const spans = this.#partitions.get(partition) ?? new Map<string, Span>();
    this.#partitions.set(partition, spans);
    const known = spans.get(group);
    if (known === undefined) spans.set(group, { first, last });
    else known.last = last;
  }

  /** A late chunk of a group that was not committed yet belongs to its span. */
  extend(partition: string, group: string, offset: bigint): void {
    const span = this.#partitions.get(partition)?.get(group);
    if (span !== undefined && offset > span.last) span.last = offset;
  }

  /** The highest offset up to `next` that lies in the middle of no span. Spans before it are forgotten. */
  clear(partition: string, next: bigint): bigint {
    const spans = this.#partitions.get(partition);
    if (spans === undefined) return next;
    let bound = next;
    // From the last first offset down: lowering the bound may put it into the middle of an earlier span.
    for (const { first, last } of [...spans.values()].sort((a, b) => (a.first < b.first ? 1 : -1))) {
      if (first < bound && last >= bound) bound = first;
    }
    for (const [group, { last }] of spans) if (last < bound) spans.delete(group);
    return bound;
  }

  forget(partition: string): void {
    this.#partitions.delete(partition);
  }
}
