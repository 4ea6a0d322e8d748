/** Transactions of the fake Kafka that a broker tears apart (KAFKA-20734), and the look at what of them arrived. */
import { type DeliveryRecord, type Landed, laneOf } from '#outbox';

export interface Transaction {
  /** Null: a plain producer's. */
  readonly by: string | null;
  fate: 'open' | 'committed' | 'aborted';
  readonly markers: Map<string, number>;
}

export interface Entry {
  readonly record: DeliveryRecord;
  /** Another one than that of the records sent with it, once a broker tore it apart. */
  transaction: Transaction;
}

/** Acknowledged, and lost if the broker stops now; with what the markers were before it. */
export interface Unsettled {
  readonly transaction: Transaction;
  readonly before: ReadonlyMap<string, number | undefined>;
}

/** A marker that was lost, and what it is again. */
export interface LostMarker {
  readonly name: string;
  readonly before: number | undefined;
}

/**
 * Aborts what is lost of the transactions: each part (a partition, a group of markers) of each producer keeps the first ones,
 * as many as its share says, since a later commit of the producer in the same part would have ended the earlier ones with it.
 * Answers with the markers that are lost, the last one first, so that putting them back in this order leaves what was before.
 */
export function tear(
  logs: ReadonlyMap<string, readonly (readonly Entry[])[]>,
  unsettled: readonly Unsettled[],
  kept: (part: string) => number,
): LostMarker[] {
  const places = new Map<Transaction, number>();
  const counts = new Map<string | null, number>();
  for (const { transaction } of unsettled) {
    const place = counts.get(transaction.by) ?? 0;
    places.set(transaction, place);
    counts.set(transaction.by, place + 1);
  }
  const shares = new Map<string, number>();
  const isLost = (part: string, { by }: Transaction, place: number): boolean => {
    const name = `${by} ${part}`;
    const share = shares.get(name) ?? kept(name);
    shares.set(name, share);
    return place >= Math.floor(share * ((counts.get(by) ?? 0) + 1));
  };
  for (const [topic, log] of logs) {
    for (const [partition, entries] of log.entries()) {
      for (const entry of entries) {
        const { transaction } = entry;
        const place = places.get(transaction);
        if (place === undefined || !isLost(`${topic}/${partition}`, transaction, place)) continue;
        entry.transaction = { by: transaction.by, fate: 'aborted', markers: new Map() };
      }
    }
  }
  return [...unsettled].reverse().flatMap(({ transaction, before }) =>
    [...before].flatMap(([name, value]) => {
      const group = name.split('/')[0] as string;
      return isLost(group, transaction, places.get(transaction) ?? 0) ? [{ name, before: value }] : [];
    }),
  );
}

export function lookUp(
  entries: readonly Entry[],
  transactionalIds: readonly string[],
  lanes: readonly number[],
): Landed {
  const committed = new Set<number>();
  const aborted = new Set<number>();
  const others = new Set<number>();
  for (const { record, transaction } of entries) {
    const id = Number(record.headers['outbox-id']);
    if (!lanes.includes(laneOf(id))) continue;
    const isTheirs = transaction.by !== null && transactionalIds.includes(transaction.by);
    if (transaction.fate === 'committed') (isTheirs ? committed : others).add(id);
    else if (transaction.fate === 'aborted' && isTheirs) aborted.add(id);
  }
  for (const id of [...committed, ...others]) aborted.delete(id);
  return { committed, aborted };
}
