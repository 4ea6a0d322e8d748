/** The lane row: its columns and their mapping. */
import type { LaneRow, LaneState } from '#outbox';

export interface LaneColumns {
  readonly lane: number;
  readonly source: string;
  readonly delivered_id: string | null;
  readonly holder: string | null;
  readonly claim_epoch: string;
  readonly fence_ids: string;
  readonly state: string;
  readonly why: string | null;
  readonly lease_expired: number | string;
}

export const LANE_COLUMNS =
  'lane, source, delivered_id, holder, claim_epoch, fence_ids, state, why, COALESCE(lease_until <= NOW(6), 1) AS lease_expired';

export const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text));

export const isExpired = (row: LaneColumns): boolean => Number(row.lease_expired) === 1;

export const toLane = (row: LaneColumns): LaneRow => ({
  lane: row.lane,
  source: row.source,
  deliveredId: numberOrNull(row.delivered_id),
  holder: row.holder,
  claimEpoch: Number(row.claim_epoch),
  leaseExpired: isExpired(row),
  state: row.state as LaneState,
  why: row.why,
});
