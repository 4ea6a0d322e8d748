/** What stands beside a marker in Kafka: by whom it was written, and since when what he sent may not be written for good. */

export interface MarkerNote {
  readonly producerId: number;
  /** Rises with each session of the producer. Times of different sessions are by different clocks: one may have been set back. */
  readonly producerEpoch: number;
  /** By the clock that is in the session's records. */
  readonly sinceMs: number;
}

export const noteText = ({ producerId, producerEpoch, sinceMs }: MarkerNote): string =>
  `${producerId} ${producerEpoch} ${sinceMs}`;

/** Null for markers written by hand. */
export function readNote(text: string): MarkerNote | null {
  const [, producerId, producerEpoch, sinceMs] = /^(\d+) (\d+) (\d+)$/.exec(text) ?? [];
  if (producerId === undefined) return null;
  return { producerId: Number(producerId), producerEpoch: Number(producerEpoch), sinceMs: Number(sinceMs) };
}

/**
 * From when on something that the producers sent of these lanes may not have been written for good. The last marker of a
 * session tells for all lanes that it wrote, and says nothing of those that only an earlier session wrote. Where a producer
 * left no marker, the oldest note of the lanes will do, since it took them over after that. Null without any note.
 */
export function oldestDoubtMs(
  notes: ReadonlyMap<number, MarkerNote>,
  lanes: Iterable<number>,
  producerIds: Iterable<number>,
): number | null {
  const known = [...lanes].map((lane) => notes.get(lane)).filter((note) => note !== undefined);
  if (known.length === 0) return null;
  const sessions = Map.groupBy(known, ({ producerId, producerEpoch }) => `${producerId} ${producerEpoch}`);
  const times = [...producerIds].map((wanted) => {
    const theirs = [...sessions.values()].filter(([first]) => first?.producerId === wanted);
    const most = theirs.map((session) => Math.max(...session.map(({ sinceMs }) => sinceMs)));
    return Math.min(...(theirs.length === 0 ? known.map(({ sinceMs }) => sinceMs) : most));
  });
  return Math.min(...times);
}
