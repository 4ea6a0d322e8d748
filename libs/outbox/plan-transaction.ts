/**
 * Turns what was read from the lanes into one Kafka transaction: records, markers, and the rows that wait aside instead.
 * Pure. A lane is cut before the first row of a topic that is away, so that its earlier rows still go.
 */
import { keyText, type LaneHold } from './lane-hold.ts';
import type { AsideHead, DeliveryRecord, LaneBatch, MarkerWrite, OutboxRow } from './ports.ts';

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
  /** Rows that are set aside already: the marker passes them. */
  deferred: ReadonlySet<number> = new Set(),
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
      if (deferred.has(row.id)) {
        last = row.id;
        continue;
      }
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

/**
 * A record of a row. Its headers are made when they are asked for, which is when the record is written: made at once, the
 * thousands of a transaction would live as long as it does, and cost more to collect than to make.
 */
class RowRecord implements DeliveryRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly row: OutboxRow;
  readonly hold: { readonly lane: number; readonly source: string };

  constructor(row: OutboxRow, hold: { readonly lane: number; readonly source: string }) {
    this.topic = row.topic;
    this.key = row.key;
    this.value = row.value;
    this.row = row;
    this.hold = hold;
  }

  get spread(): number {
    return this.row.id;
  }

  get size(): number {
    return this.row.size;
  }

  /** The fixed headers win over a row's own of the same name; only the content type is the row's to choose. */
  get headers(): Readonly<Record<string, string>> {
    const { row, hold } = this;
    const fixed = {
      id: row.eventId,
      'outbox-id': String(row.id),
      source: hold.source,
      lane: String(hold.lane),
      'content-type': 'application/json',
    };
    if (row.headers === null) return fixed;
    const own = row.headers['content-type'];
    return own === undefined ? { ...row.headers, ...fixed } : { ...row.headers, ...fixed, 'content-type': own };
  }
}

export const toRecord = (row: OutboxRow, hold: { readonly lane: number; readonly source: string }): DeliveryRecord =>
  new RowRecord(row, hold);

/** What is known of the record of a row set aside without its payload. */
export const toHeadRecord = (head: AsideHead, hold: { readonly lane: number; readonly source: string }) =>
  Object.assign(new RowRecord({ ...head, value: null, headers: null }, hold), { valueBytes: head.valueBytes });

/** A row whose key waits is copied aside as it is; it is due as soon as it is the first of its key. */
export const parkedBehindKey = (row: OutboxRow) =>
  ({ row, state: 'parked', error: 'waits behind a row of its key', dueInMs: 0 }) as const;
