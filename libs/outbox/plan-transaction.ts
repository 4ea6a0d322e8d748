/**
 * Turns what was read from the lanes into one Kafka transaction: records, markers, and the rows that wait aside instead.
 * Pure. A lane is cut before the first row of a topic that is away, so that its earlier rows still go.
 */
import { keyText, type LaneHold } from './lane-hold.ts';
import type { DeliveryRecord, LaneBatch, MarkerWrite, OutboxRow } from './ports.ts';

export interface TransactionPlan {
  readonly records: readonly DeliveryRecord[];
  readonly markers: readonly MarkerWrite[];
  /** Rows of parked keys: set aside before the marker passes them. */
  readonly toPark: ReadonlyMap<LaneHold, readonly OutboxRow[]>;
  readonly lanes: readonly LaneHold[];
  readonly bytes: number;
  /** By lane: the last id the marker passes, and the rows really sent, for blaming a fault. */
  readonly lastIds: ReadonlyMap<number, number>;
  readonly sent: ReadonlyMap<number, readonly OutboxRow[]>;
}

export function planTransaction(
  batches: readonly LaneBatch[],
  holds: ReadonlyMap<number, LaneHold>,
  isBlocked: (topic: string) => boolean,
): TransactionPlan {
  const records: DeliveryRecord[] = [];
  const markers: MarkerWrite[] = [];
  const toPark = new Map<LaneHold, OutboxRow[]>();
  const lanes: LaneHold[] = [];
  const lastIds = new Map<number, number>();
  const sent = new Map<number, OutboxRow[]>();
  let bytes = 0;
  for (const batch of batches) {
    const hold = holds.get(batch.lane);
    if (hold === undefined) continue;
    let last: number | null = null;
    const laneSent: OutboxRow[] = [];
    const waiting: OutboxRow[] = [];
    for (const row of batch.rows) {
      if (row.key !== null && hold.parked.has(keyText(row.key))) waiting.push(row);
      else if (row.key !== null || !hold.asideIds.has(row.id)) {
        if (isBlocked(row.topic)) break;
        records.push(toRecord(row, hold));
        laneSent.push(row);
        bytes += row.size;
      }
      last = row.id;
    }
    if (last === null) continue;
    markers.push({ kind: 'lane', lane: hold.lane, value: last });
    lastIds.set(hold.lane, last);
    sent.set(hold.lane, laneSent);
    lanes.push(hold);
    if (waiting.length > 0) toPark.set(hold, waiting);
  }
  return { records, markers, toPark, lanes, bytes, lastIds, sent };
}

/** The fixed headers come first and win over a row's own header of the same name. */
export function toRecord(row: OutboxRow, hold: { readonly lane: number; readonly source: string }): DeliveryRecord {
  const fixed = {
    id: row.eventId,
    'outbox-id': String(row.id),
    source: hold.source,
    lane: String(hold.lane),
  };
  const headers =
    row.headers === null
      ? { ...fixed, 'content-type': 'application/json' }
      : { 'content-type': 'application/json', ...row.headers, ...fixed };
  return {
    topic: row.topic,
    key: row.key,
    value: row.value,
    headers,
    spread: row.id,
    size: row.size,
  };
}

/** A row whose key waits is copied aside as it is; it is due as soon as it is the first of its key. */
export const parkedBehindKey = (row: OutboxRow) =>
  ({ row, state: 'parked', error: 'waits behind a row of its key', dueInMs: 0 }) as const;
