/** Lane and id arithmetic: lane n owns the outbox ids [n * 2^43, (n + 1) * 2^43), every one a safe integer. */
import { murmur2 } from './murmur2.ts';

/** Ids a lane can hand out: 2^43, so that 1,024 lanes fill exactly the safe integers of JavaScript. */
export const LANE_SPAN = 2 ** 43;
export const LANES_MAX = 1024;

/** The highest id below every id of the lane: what a marker says when the lane has delivered nothing. */
export const laneFloor = (lane: number): number => lane * LANE_SPAN;
/** The first id that is no longer the lane's. */
export const laneEnd = (lane: number): number => (lane + 1) * LANE_SPAN;
export const laneOf = (id: number): number => Math.floor(id / LANE_SPAN);
export const sequenceOf = (id: number): number => id % LANE_SPAN;

/** Sequence numbers start at 1, so `laneFloor` is never a row's id. */
export function outboxId(lane: number, sequence: number): number {
  if (lane < 0 || lane >= LANES_MAX || sequence < 1 || sequence >= LANE_SPAN) {
    throw new RangeError(`no outbox id for lane ${lane}, sequence ${sequence}`);
  }
  return lane * LANE_SPAN + sequence;
}

/** Rows of one key always get the same lane of a source; rows without a key are spread by their sequence. */
export function pickLane(lanes: readonly number[], key: Uint8Array | null, sequence: number): number {
  const index = key === null ? sequence % lanes.length : (murmur2(key) & 0x7fffffff) % lanes.length;
  return lanes[index] as number;
}
