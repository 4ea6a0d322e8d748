/** The lane row: its columns and their mapping. */
import type { LaneRow, LaneState } from '#outbox';
import { NOW } from './tables.ts';

export interface LaneColumns {
  readonly lane: number;
  readonly source: string;
  readonly delivered_id: number | null;
  readonly holder: string | null;
  readonly claim_epoch: number;
  readonly fence_ids: string;
  readonly state: string;
  readonly why: string | null;
  readonly lease_expired: number;
}

export const LANE_COLUMNS = `lane, source, delivered_id, holder, claim_epoch, fence_ids, state, why, COALESCE(lease_until <= ${NOW}, 1) AS lease_expired`;

export const toLane = (row: LaneColumns): LaneRow => ({
  lane: row.lane,
  source: row.source,
  deliveredId: row.delivered_id,
  holder: row.holder,
  claimEpoch: row.claim_epoch,
  leaseExpired: row.lease_expired === 1,
  state: row.state as LaneState,
  why: row.why,
});
