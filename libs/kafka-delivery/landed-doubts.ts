/** What is to be asked later of partitions that do not say now what arrived in them. */
import { type Doubt, targetName } from '#outbox';
import type { PartitionPlace } from './find-producers.ts';
import { type MarkerNote, oldestDoubtMs } from './marker-note.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

export interface DoubtedSenders {
  /** Transactional ids by their producer ids. */
  readonly producers: ReadonlyMap<number, string>;
  readonly lanes: ReadonlySet<number>;
  readonly notes: ReadonlyMap<number, MarkerNote>;
}

/** For each producer. `counts`: partitions by topic. */
export function doubtsOf(
  away: readonly PartitionPlace[],
  { producers, notes, lanes }: DoubtedSenders,
  counts: ReadonlyMap<string, number>,
): Doubt[] {
  return [...producers].flatMap(([producerId, transactionalId]) => {
    const sinceMs = oldestDoubtMs(notes, lanes, [producerId]) ?? 0;
    const by = senderName({ producerId, transactionalId });
    return away.map(({ topic, partition }) => {
      return { waitsFor: targetName({ topic, partition, partitions: counts.get(topic) ?? null }), by, sinceMs };
    });
  });
}

/** How a doubt names who sent. */
export const senderName = ({ producerId, transactionalId }: Omit<ProducerIdentity, 'producerEpoch'>): string =>
  `${producerId} ${transactionalId}`;

export function senderOf(by: string): Omit<ProducerIdentity, 'producerEpoch'> {
  const at = by.indexOf(' ');
  return { producerId: Number(by.slice(0, at)), transactionalId: by.slice(at + 1) };
}
