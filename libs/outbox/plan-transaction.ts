/**
 * Turns what was read from the lanes into one Kafka transaction: records, markers, and the rows that wait aside instead.
 * Pure. Rows whose target takes nothing leave the lane for a queue, so that those behind them go on; where nothing is behind
 * them they stay in the lane, but for a few to try the target with.
 */
import { keyText, type LaneHold } from './lane-hold.ts';
import type { AsideHead, DeliveryRecord, LaneBatch, MarkerWrite, OutboxRow } from './ports.ts';
import type { RouteOf } from './routes.ts';

/** A row that leaves its lane without being sent. */
export interface Detour {
  readonly row: OutboxRow;
  /** Null: it waits behind its key. */
  readonly waitsFor: string | null;
}

export interface TransactionPlan {
  readonly records: readonly DeliveryRecord[];
  readonly markers: readonly MarkerWrite[];
  /** Set aside before the marker passes them. */
  readonly aside: ReadonlyMap<LaneHold, readonly Detour[]>;
  readonly lanes: readonly LaneHold[];
  readonly bytes: number;
  /** By lane: the last id the marker passes, and the rows really sent, for blaming a fault. */
  readonly lastIds: ReadonlyMap<number, number>;
  readonly sent: ReadonlyMap<number, readonly OutboxRow[]>;
}

/** What is known beside the lanes and their rows. */
export interface PlanContext {
  readonly holds: ReadonlyMap<number, LaneHold>;
  readonly routeOf: RouteOf;
  /**
   * True when rows of some other target are known to flow: then a lane that shows blocked rows only, and has more behind them, is
   * worth looking through. Where everything is blocked nothing is moved: it would only be carried to and fro.
   */
  readonly othersFlow: boolean;
  readonly bounds: WaitingBounds;
  /** Rows that are set aside already: the marker passes them. */
  readonly deferred?: ReadonlySet<number>;
}

/** What may wait aside of one lane before its rows wait in the outbox, in the way of those behind them. */
export interface WaitingBounds {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** Rows with which a target is tried. */
export const PROBE_ROWS = 8;

type Waiting = Detour & { readonly waitsFor: string };

interface LanePlan {
  readonly sent: OutboxRow[];
  readonly aside: Detour[];
  last: number | null;
}

export function planTransaction(batches: readonly LaneBatch[], context: PlanContext): TransactionPlan {
  const records: DeliveryRecord[] = [];
  const markers: MarkerWrite[] = [];
  const aside = new Map<LaneHold, readonly Detour[]>();
  const lanes: LaneHold[] = [];
  const lastIds = new Map<number, number>();
  const sent = new Map<number, OutboxRow[]>();
  let bytes = 0;
  for (const batch of batches) {
    const hold = context.holds.get(batch.lane);
    if (hold === undefined) continue;
    const plan = planLane(batch, hold, context);
    if (plan.last === null) continue;
    for (const row of plan.sent) {
      records.push(toRecord(row, hold));
      bytes += row.size;
    }
    markers.push({ kind: 'lane', lane: hold.lane, value: plan.last });
    lastIds.set(hold.lane, plan.last);
    sent.set(hold.lane, plan.sent);
    lanes.push(hold);
    if (plan.aside.length > 0) aside.set(hold, plan.aside);
  }
  return { records, markers, aside, lanes, bytes, lastIds, sent };
}

function planLane(batch: LaneBatch, hold: LaneHold, { routeOf, othersFlow, bounds, deferred }: PlanContext): LanePlan {
  const plan: LanePlan = { sent: [], aside: [], last: null };
  /** Blocked rows behind the last row that goes somewhere. */
  let tail: Waiting[] = [];
  let room = roomOf(hold, bounds);
  const probes = new Probes(hold);
  for (const row of batch.rows) {
    const isParked = row.key !== null && hold.parked.has(keyText(row.key)) && !deferred?.has(row.id);
    const isAside = deferred?.has(row.id) || (row.key === null && hold.asideIds.has(row.id));
    const route = isParked || isAside ? null : routeOf(hold, row);
    if (route === 'pause') break;
    if (route !== null && route !== 'send') {
      room = { rows: room.rows - 1, bytes: room.bytes - row.size };
      const isWanted = probes.wants({ row, waitsFor: route.waitsFor });
      if ((room.rows < 0 || room.bytes < 0) && !isWanted) break;
      tail.push({ row, waitsFor: route.waitsFor });
      continue;
    }
    plan.aside.push(...tail);
    tail = [];
    if (isParked) plan.aside.push({ row, waitsFor: null });
    else if (!isAside) plan.sent.push(row);
    plan.last = row.id;
  }
  const kept = batch.full && othersFlow ? tail.length : probesOf(hold, tail);
  plan.aside.push(...tail.slice(0, kept));
  if (kept > 0) plan.last = (tail[kept - 1] as Waiting).row.id;
  return plan;
}

function roomOf(
  hold: LaneHold,
  { rowsMax, bytesMax }: WaitingBounds,
): { readonly rows: number; readonly bytes: number } {
  let rows = rowsMax;
  let bytes = bytesMax;
  for (const queue of hold.queues.values()) {
    rows -= queue.rows;
    bytes -= queue.bytes;
  }
  return { rows, bytes };
}

/** Rows that leave their lane whatever is behind them: enough to try their target with, and what a look at arrivals waits for. */
class Probes {
  readonly #hold: LaneHold;
  readonly #rows = new Map<string, number>();

  constructor(hold: LaneHold) {
    this.#hold = hold;
  }

  wants({ row, waitsFor }: { readonly row: OutboxRow; readonly waitsFor: string }): boolean {
    const rows = this.#rows.get(waitsFor) ?? this.#hold.queues.get(waitsFor)?.rows ?? 0;
    this.#rows.set(waitsFor, rows + 1);
    return rows < PROBE_ROWS || row.id <= this.#hold.passUpTo;
  }
}

function probesOf(hold: LaneHold, tail: readonly Waiting[]): number {
  const probes = new Probes(hold);
  const end = tail.findIndex((each) => !probes.wants(each));
  return end < 0 ? tail.length : end;
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
