/**
 * Markers of idle lanes are committed again long before Kafka forgets them: offsets of a group without members expire
 * (`offsets.retention.minutes`, 7 days by default). A lane just taken counts as due, since nobody knows when it last was.
 */
import type { LaneHold } from './lane-hold.ts';
import type { MarkerWrite, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';

export function dueMarkers(holds: Iterable<LaneHold>, nowMs: number, refreshMs: number): MarkerWrite[] {
  const due: MarkerWrite[] = [];
  for (const hold of holds) {
    const fresh = hold.markerWrittenAtMs !== null && nowMs - hold.markerWrittenAtMs < refreshMs;
    if (!fresh) due.push({ kind: 'lane', lane: hold.lane, value: hold.marker });
  }
  return due;
}

/** True when some were due, and are committed again. */
export async function refreshMarkers(
  { clock, markerRefreshMs }: Pick<SenderOptions, 'clock' | 'markerRefreshMs'>,
  session: ProducerSession,
  holds: ReadonlyMap<number, LaneHold>,
): Promise<boolean> {
  if (!session.transactional) return false;
  const due = dueMarkers(holds.values(), clock.nowMs(), markerRefreshMs);
  if (due.length === 0) return false;
  await session.transact([], due);
  for (const { lane } of due) {
    const hold = holds.get(lane);
    if (hold === undefined) continue;
    // The same marker again, and yet not there to stay: whoever took the lane from us now might find it pending for ever.
    hold.settled = Math.min(hold.settled, hold.marker - 1);
    hold.markerWrittenAtMs = clock.nowMs();
  }
  return true;
}

/** Somebody says that the marker is due; one written lately is fresh enough, however often it is said. */
export function expireMarker(
  { clock, markerRefreshMs }: Pick<SenderOptions, 'clock' | 'markerRefreshMs'>,
  hold: LaneHold | undefined,
): void {
  if (hold === undefined || hold.markerWrittenAtMs === null) return;
  if (clock.nowMs() - hold.markerWrittenAtMs >= markerRefreshMs / 4) hold.markerWrittenAtMs = null;
}
