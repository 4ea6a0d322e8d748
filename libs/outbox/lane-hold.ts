/** What a sender knows of a lane it holds. Mutable on purpose: one loop owns it, nothing else writes it. */
import { laneFloor } from './lane.ts';
import type { AsideHead, AsideQueue, Doubt, LaneClaim } from './ports.ts';

/** A lane under suspicion of a row fault: delivered alone, in ever smaller batches, until the row is alone too. */
export interface Probation {
  readonly rowsMax: number;
  /** Innocent once the marker has reached it. */
  readonly untilId: number;
}

/** Rows of a lane that wait for one target, as far as is known without counting them again. */
export interface WaitingQueue {
  rows: number;
  bytes: number;
  /** Rows one attempt may have: fewer after a refused one, to find the row. */
  rowsMax: number;
  /** Nothing up to this id waits any more, as was seen last; null: not known. */
  emptyUpTo: number | null;
}

export interface LaneHold {
  readonly lane: number;
  readonly source: string;
  readonly claimEpoch: number;
  /** Last id known to be in Kafka. */
  marker: number;
  /** Last id whose marker Kafka was seen to have written: an acknowledged commit alone is not proof enough to delete by. */
  settled: number;
  /** Since when (monotonic) `settled` has been behind `marker` without a step; null: it is not behind. */
  unsettledSinceMs: number | null;
  /** Everything at or below it is deleted. */
  trimmed: number;
  /** When the marker was last committed (monotonic); null: due now. */
  markerWrittenAtMs: number | null;
  probation: Probation | null;
  /** Head of each parked key, by key text; later rows of the key wait behind it. */
  readonly parked: Map<string, AsideHead>;
  /** Rows without a key that are aside, by id. */
  readonly asideIds: Map<number, AsideHead>;
  /** A change of rows aside has no answer: it may still be committed, whatever is done meanwhile. */
  isChanging: boolean;
  /** Heads aside as last read, when they were read (monotonic), or null when they must be read again. */
  asideReadAtMs: number | null;
  /** Rows that wait for their targets, by the targets' names. A target is here as long as a row of it may be aside. */
  readonly queues: Map<string, WaitingQueue>;
  /** What may have been sent to partitions that could not be asked: their queues wait until they can. */
  doubts: readonly Doubt[];
  /** Blocked rows up to here leave the lane, whatever is behind them: they are aside, or may be in Kafka already. */
  passUpTo: number;
  /** Doubts are looked at once everything up to here has passed for good. */
  lookAt: number;
  /** The highest token of attempts as last read. */
  tokenFloor: number;
  /** The last attempt token used in this lane; null until Kafka's was read, since a token must never come twice. */
  retryToken: number | null;
}

/** Keys are bytes; latin1 maps every byte to one character, so equal keys and only they have equal texts. */
export const keyText = (key: Buffer): string => key.toString('latin1');

export function newHold(claim: LaneClaim, marker: number): LaneHold {
  return {
    lane: claim.lane,
    source: claim.source,
    claimEpoch: claim.claimEpoch,
    marker,
    settled: marker,
    unsettledSinceMs: null,
    // From the lane's start, once: the former holder may have died between delivering and deleting.
    trimmed: laneFloor(claim.lane),
    markerWrittenAtMs: null,
    probation: null,
    parked: new Map(),
    asideIds: new Map(),
    isChanging: false,
    asideReadAtMs: null,
    queues: new Map(),
    doubts: [],
    passUpTo: 0,
    lookAt: 0,
    tokenFloor: 0,
    retryToken: null,
  };
}

/**
 * A change of the lane's rows aside. One that is given up may come later, so that nothing goes on from what is known of the lane before
 * its claim was proven anew (`HeldLanes.prove`), which waits for it, and what is aside was read after that.
 */
export async function changing<T>(hold: LaneHold, change: () => Promise<T>): Promise<T> {
  hold.isChanging = true;
  const answer = await change();
  hold.isChanging = false;
  return answer;
}

export function adoptAsideHeads(hold: LaneHold, heads: readonly AsideHead[], nowMs: number): void {
  hold.asideReadAtMs = nowMs;
  hold.parked.clear();
  hold.asideIds.clear();
  for (const head of heads) {
    if (head.lane !== hold.lane) continue;
    if (head.key === null) hold.asideIds.set(head.id, head);
    else hold.parked.set(keyText(head.key), head);
  }
}

export const asideHeads = (hold: LaneHold): AsideHead[] =>
  [...hold.parked.values(), ...hold.asideIds.values()].sort((a, b) => a.id - b.id);

export const ANY_ROWS_MAX = Number.POSITIVE_INFINITY;

const newQueue = (): WaitingQueue => ({ rows: 0, bytes: 0, rowsMax: ANY_ROWS_MAX, emptyUpTo: null });

/** Before rows are set aside for the target: from here on no row of it may go past them. */
export function expectWaiting(
  hold: LaneHold,
  waitsFor: string,
  rows: readonly { readonly id: number; readonly size: number }[],
): void {
  const queue = hold.queues.get(waitsFor) ?? newQueue();
  queue.rows += rows.length;
  for (const { id, size } of rows) {
    queue.bytes += size;
    hold.passUpTo = Math.max(hold.passUpTo, id);
  }
  queue.emptyUpTo = null;
  hold.queues.set(waitsFor, queue);
}

/** The lane's queues as the database has them; a partition in doubt has one, whether rows wait or not. */
export function adoptQueues(hold: LaneHold, queues: readonly AsideQueue[], doubts: readonly Doubt[]): void {
  const before = new Map(hold.queues);
  hold.queues.clear();
  hold.doubts = doubts;
  for (const { waitsFor } of hold.doubts) hold.queues.set(waitsFor, before.get(waitsFor) ?? newQueue());
  for (const { lane, waitsFor, rows, bytes, lastId } of queues) {
    if (lane !== hold.lane) continue;
    hold.passUpTo = Math.max(hold.passUpTo, lastId);
    const { rowsMax, emptyUpTo } = before.get(waitsFor) ?? newQueue();
    hold.queues.set(waitsFor, { rows, bytes, rowsMax, emptyUpTo });
  }
}
