/** How long a missing id stays open after it was sighted, where SOURCE_GAP_GRACE does not say: what each gap mode needs. */
import type { GapMode } from '#outbox';

/** Modes `transactions` and `ordered`: an id is handed out an instant before its transaction shows. */
const SHOWN_GRACE_MS = 1_000;
const TIME_GRACE_MS = 60_000;
/** Mode `locks`: more than a statement needs besides waiting. */
const WAIT_SLACK_MS = 10_000;

/**
 * Milliseconds. `lockWaitMs`: the longest that a statement waits for one lock. Before its row is there, a statement may wait at the
 * primary key and at each of the `indexesBefore` that InnoDB comes to before the watermark's.
 */
export function neededGraceMs(gapMode: GapMode, lockWaitMs: number, indexesBefore = 0): number {
  if (gapMode === 'time') return TIME_GRACE_MS;
  return gapMode === 'locks' ? (1 + indexesBefore) * lockWaitMs + WAIT_SLACK_MS : SHOWN_GRACE_MS;
}
