/** Do a lane's marker in Kafka and its row in the database agree? The same questions that a sender asks before it delivers. */
import { type LaneRow, laneEnd, laneFloor, sequenceOf } from '#outbox';

export interface MarkerFacts {
  readonly lane: Pick<LaneRow, 'lane' | 'deliveredId'>;
  /** -1: none. */
  readonly marker: number;
  /** First sequence number not handed out yet, read after the marker: both only rise. */
  readonly nextSequence: number;
}

/** Null when a sender would take the lane as it is; otherwise what is wrong with it. */
export function whatDisagrees({ lane, marker, nextSequence }: MarkerFacts): string | null {
  const delivered = lane.deliveredId;
  if (marker >= laneEnd(lane.lane)) return `the marker ${marker} in Kafka is no id of this lane`;
  if (marker > laneFloor(lane.lane) && sequenceOf(marker) >= nextSequence) {
    if (nextSequence === 1) {
      return `Kafka has the marker ${marker} and nothing was ever moved by this database: another deployment has this prefix, or the tables were made anew`;
    }
    return `the marker ${marker} in Kafka is ahead of the database, whose next sequence is ${nextSequence}: a restored backup`;
  }
  if (delivered === null) {
    if (marker === -1 || marker === laneFloor(lane.lane)) return null;
    return `Kafka has the marker ${marker} for a lane that never delivered by this database: tables made anew, or a shared prefix`;
  }
  if (marker === -1) return `the marker is gone from Kafka, the database says delivered up to ${delivered}`;
  return marker < delivered ? `the marker ${marker} in Kafka lies behind ${delivered}, which was delivered` : null;
}
