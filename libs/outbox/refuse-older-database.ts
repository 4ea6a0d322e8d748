/**
 * A writer's look before its first append of a term: has the database gone back? A restored backup, or a fail-over that lost
 * the last commits, hands out sequences anew that Kafka has already, and a sender would take the new rows for delivered. It
 * can only be told now: once the writer has appended past the markers, nothing shows it any more (I8).
 */
import { RelayError } from '#runtime';
import { laneFloor, sequenceOf } from './lane.ts';
import type { WatermarkState } from './ports.ts';

export interface OlderDatabaseLook {
  readonly state: WatermarkState;
  /** The sequence that this process knows to have been next, from an earlier term; 0 when there was none. */
  readonly knownNextSequence: number;
  /** Markers by lane as Kafka has them, -1 for none; null: could not be read. */
  readonly markers: ReadonlyMap<number, number> | null;
}

const WENT_BACK =
  'a backup was restored, or a fail-over lost commits: stop writers and senders, see doctor, then lane resume --from delivered';
/** Nothing was ever moved by these tables: more likely somebody else's markers, which `lane resume` would spoil. */
const NEVER_MOVED =
  'nothing was ever moved by this database, so another deployment has this KAFKA_TRANSACTIONAL_ID_PREFIX, or the tables were made anew: take another prefix and run init';

/** Throws INVARIANT_BROKEN, which halts the source. */
export function refuseOlderDatabase({ state, knownNextSequence, markers }: OlderDatabaseLook): void {
  const { source, nextSequence } = state;
  if (nextSequence < knownNextSequence) {
    const went = `went back from sequence ${knownNextSequence} to ${nextSequence}`;
    throw new RelayError('INVARIANT_BROKEN', `the database of source ${source} ${went}: ${WENT_BACK}`);
  }
  for (const [lane, marker] of markers ?? []) {
    if (marker <= laneFloor(lane) || sequenceOf(marker) < nextSequence) continue;
    const ahead = `marker ${marker} of lane ${lane} in Kafka is ahead of its next sequence ${nextSequence}`;
    throw new RelayError(
      'INVARIANT_BROKEN',
      `the database of source ${source} is older than Kafka, ${ahead}: ${nextSequence === 1 ? NEVER_MOVED : WENT_BACK}`,
    );
  }
}
