/** The lanes that a command names. */
import type { LaneRow } from '#outbox';
import { RelayError } from '#runtime';

/** Null means all. Throws CONFIG_INVALID for a lane that is not there, before anything is done to the others. */
export function pickLanes(lanes: readonly LaneRow[], numbers: readonly number[] | null): readonly LaneRow[] {
  const known = lanes.length === 0 ? 'no writer has registered a source yet' : `the lanes are 0 to ${lanes.length - 1}`;
  if (numbers === null && lanes.length === 0) throw new RelayError('CONFIG_INVALID', `there are no lanes: ${known}`);
  return (numbers ?? lanes.map(({ lane }) => lane)).map((number) => {
    const found = lanes.find(({ lane }) => lane === number);
    if (!found) throw new RelayError('CONFIG_INVALID', `there is no lane ${number}: ${known}`);
    return found;
  });
}
