/**
 * The life of a lane's row in the database, as a table: what each call may find and what it leaves. Total by type, so a new
 * state or call does not compile before every cell is thought of. `illegal` never happens; the simulation watches (I8).
 */
import type { LaneState } from './ports.ts';

/** `claimed`: whoever held it before is not yet fenced. `taken`: fenced, so the holder may read the marker and deliver. */
export type LanePhase = 'free' | 'claimed' | 'taken' | 'stopped';

/** What changed the row. `resume-held`: an operator resumes a lane whose last holder is still to be fenced. */
export type LaneMove =
  | 'claim'
  | 'clear-fences'
  | 'renew'
  | 'record-marker'
  | 'delete-delivered'
  | 'release'
  | 'halt'
  | 'pause'
  | 'resume-free'
  | 'resume-held';

export const LANE_MOVES: Readonly<Record<LanePhase, Readonly<Record<LaneMove, LanePhase | 'illegal'>>>> = {
  free: {
    claim: 'claimed',
    'clear-fences': 'illegal',
    renew: 'illegal',
    'record-marker': 'illegal',
    // A former holder's deletion may come late: what it deletes is in Kafka whoever holds the lane now.
    'delete-delivered': 'free',
    release: 'illegal',
    halt: 'illegal',
    pause: 'stopped',
    'resume-free': 'illegal',
    'resume-held': 'illegal',
  },
  claimed: {
    // The taker died half-way: the next one has both to fence.
    claim: 'claimed',
    'clear-fences': 'taken',
    // Only lanes that deliver are renewed, so a taker that hangs loses the lane.
    renew: 'illegal',
    'record-marker': 'illegal',
    'delete-delivered': 'claimed',
    // Given back before it was taken: whom to fence stays written down.
    release: 'free',
    halt: 'illegal',
    pause: 'stopped',
    'resume-free': 'illegal',
    'resume-held': 'illegal',
  },
  taken: {
    claim: 'claimed',
    'clear-fences': 'taken',
    renew: 'taken',
    'record-marker': 'taken',
    'delete-delivered': 'taken',
    release: 'free',
    halt: 'stopped',
    pause: 'stopped',
    'resume-free': 'illegal',
    'resume-held': 'illegal',
  },
  stopped: {
    claim: 'illegal',
    // Its holder notices at its next renewal and may be half-way through something until then.
    'clear-fences': 'stopped',
    renew: 'illegal',
    'record-marker': 'stopped',
    'delete-delivered': 'stopped',
    release: 'stopped',
    halt: 'stopped',
    pause: 'stopped',
    'resume-free': 'free',
    'resume-held': 'claimed',
  },
};

/** The phase of a row never touched by a claim: what `registerSource` leaves. */
export const newLanePhase = (state: LaneState): LanePhase => (state === 'running' ? 'free' : 'stopped');
