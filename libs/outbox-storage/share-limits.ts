/**
 * How many rows to ask of each lane, so that one statement over all lanes brings about one batch: lanes that were short last
 * time ask for a little more than they had, and those with a backlog share the rest.
 */
import type { BatchLimits, LaneCursor } from '#outbox';

/** What the last reads found, for the next guess; a wrong guess costs a shorter batch, never a row. */
export interface LaneHistory {
  readonly rows: number;
  readonly full: boolean;
}

/** The least a lane may ask for when there is room: a burst on a quiet lane comes at once. */
const QUIET_ROWS = 16;
/** How much more than the byte budget's worth of average rows is asked for, since rows differ. */
const BYTES_SLACK = 1.25;

export function shareLimits(
  cursors: readonly LaneCursor[],
  limits: BatchLimits,
  history: ReadonlyMap<number, LaneHistory>,
  rowBytes: number,
): number[] {
  const byBytes = rowBytes > 0 ? Math.ceil((limits.bytesMax * BYTES_SLACK) / rowBytes) : limits.rowsMax;
  const rowsMax = Math.max(1, Math.min(limits.rowsMax, byBytes));
  const even = Math.max(1, Math.floor(rowsMax / cursors.length));
  const wanted = cursors.map(({ lane, rowsMax: laneMax }) => {
    const last = history.get(lane);
    const quiet = last !== undefined && !last.full ? Math.max(QUIET_ROWS, last.rows * 2) : null;
    return { most: Math.max(1, Math.min(laneMax, rowsMax)), quiet };
  });
  const busy = wanted.filter(({ quiet }) => quiet === null).length;
  if (busy === 0) return wanted.map(({ most }) => Math.min(most, even));
  const quietRows = wanted.reduce(
    (sum, { most, quiet }) => sum + (quiet === null ? 0 : Math.min(most, quiet, even)),
    0,
  );
  const share = Math.max(even, Math.floor((rowsMax - quietRows) / busy));
  return wanted.map(({ most, quiet }) => Math.min(most, quiet === null ? share : Math.min(quiet, even)));
}
