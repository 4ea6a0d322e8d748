/** Transactions of the fake Kafka that a broker tears apart (KAFKA-20734), and the look at what of them arrived. */
import { type DeliveryRecord, type Landed, laneOf } from '#outbox';

export interface Transaction {
  /** Null: a plain producer's. */
  readonly by: string | null;
  fate: 'open' | 'committed' | 'aborted';
  readonly markers: Map<string, number>;
  /** The partitions and groups of markers it has written to. */
  readonly parts: Set<string>;
}

export const begun = (by: string | null): Transaction => ({ by, fate: 'open', markers: new Map(), parts: new Set() });

export const partitionPart = (topic: string, partition: number): string => `${topic}/${partition}`;
/** Of a marker by its name. */
export const groupPart = (marker: string): string => marker.slice(0, marker.indexOf('/'));

/** Names of topics have no slash. */
export const isGroup = (part: string): boolean => !part.includes('/');
export const topicOf = (part: string): string => part.slice(0, part.indexOf('/'));

export interface Entry {
  readonly record: DeliveryRecord;
  /** Another one than that of the records sent with it, once a broker tore it apart. */
  transaction: Transaction;
}

/** Acknowledged, and lost if the broker stops now; with what the markers were before it. */
export interface Unsettled {
  readonly transaction: Transaction;
  readonly before: ReadonlyMap<string, number | undefined>;
  /** What may be called settled of other markers, whose records were open until this transaction ended them. */
  readonly doubts: ReadonlyMap<string, number>;
}

/** What a marker was in front of a transaction, and whether it is that again. */
export interface TornMarker {
  readonly name: string;
  readonly by: string | null;
  readonly before: number | undefined;
  readonly isLost: boolean;
}

/** What may be called settled of a marker while the transaction is not decided: less, too, than one that was written again as it was. */
export function settledBefore({ transaction, before, doubts }: Unsettled, name: string): number {
  const bounds = before.has(name) ? [before.get(name) ?? -1, (transaction.markers.get(name) ?? 0) - 1] : [];
  return Math.min(...bounds, doubts.get(name) ?? Infinity);
}

/** What a part has lost of one producer: no transaction's any more but one of its own, which is open. */
export interface LostPart {
  readonly by: string | null;
  readonly part: string;
  readonly transaction: Transaction;
  readonly entries: Entry[];
}

/** What a transaction wrote to a part leaves it, and stays open. */
export function lostOf(transaction: Transaction, part: string, entries: readonly Entry[]): LostPart {
  const theirs = entries.filter((entry) => entry.transaction === transaction);
  const open = begun(transaction.by);
  for (const entry of theirs) entry.transaction = open;
  return { by: transaction.by, part, transaction: open, entries: theirs };
}

export interface Torn {
  readonly lost: readonly LostPart[];
  /** What may be called settled of markers while something of their transaction is open. */
  readonly doubts: readonly { readonly by: string | null; readonly name: string; readonly settled: number }[];
  /** The last one first, so that putting them back in this order leaves what was before. */
  readonly markers: readonly TornMarker[];
}

/**
 * Takes away what is lost of the transactions: each part (a partition, a group of markers) of each producer keeps the first ones,
 * as many as its share says, since a later commit of the producer in the same part would have ended the earlier ones with it.
 */
export function tear(
  logs: ReadonlyMap<string, readonly (readonly Entry[])[]>,
  unsettled: readonly Unsettled[],
  kept: (part: string) => number,
): Torn {
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
  const lost = new Map<string, LostPart>();
  const lostOf = (part: string, { by }: Transaction): LostPart => {
    const name = `${by} ${part}`;
    const found = lost.get(name) ?? { by, part, transaction: begun(by), entries: [] };
    lost.set(name, found);
    return found;
  };
  for (const [topic, log] of logs) {
    for (const [partition, entries] of log.entries()) {
      const part = partitionPart(topic, partition);
      for (const entry of entries) {
        const place = places.get(entry.transaction);
        if (place === undefined || !isLost(part, entry.transaction, place)) continue;
        const { transaction, entries: theirs } = lostOf(part, entry.transaction);
        entry.transaction = transaction;
        theirs.push(entry);
      }
    }
  }
  const markers = [...unsettled].reverse().flatMap((each) =>
    [...each.before].map(([name, before]) => {
      const { transaction } = each;
      const part = groupPart(name);
      const isGone = isLost(part, transaction, places.get(transaction) ?? 0);
      const pending = isGone ? lostOf(part, transaction).transaction.markers : null;
      // The last one is met first, and it is the one that counts.
      if (pending?.has(name) === false) pending.set(name, transaction.markers.get(name) ?? -1);
      return { name, by: transaction.by, before, isLost: isGone };
    }),
  );
  const doubts = unsettled.flatMap((each) =>
    [...each.before.keys(), ...each.doubts.keys()].map((name) => {
      return { by: each.transaction.by, name, settled: settledBefore(each, name) };
    }),
  );
  return { lost: [...lost.values()], markers, doubts };
}

export function lookUp(
  entries: readonly Entry[],
  transactionalIds: readonly string[],
  lanes: readonly number[],
): Omit<Landed, 'unknown'> {
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
