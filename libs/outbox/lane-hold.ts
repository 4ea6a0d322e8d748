/** What a sender knows of a lane it holds. Mutable on purpose: one loop owns it, nothing else writes it. */
import { laneFloor } from './lane.ts';
import type { AsideHead, LaneClaim } from './ports.ts';

/** A lane under suspicion of a row fault: delivered alone, in ever smaller batches, until the row is alone too. */
export interface Probation {
  readonly rowsMax: number;
  /** Innocent once the marker has reached it. */
  readonly untilId: number;
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
  /** Heads aside as last read, when they were read (monotonic), or null when they must be read again. */
  asideReadAtMs: number | null;
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
    asideReadAtMs: null,
    retryToken: null,
  };
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
