/**
 * Markers of idle lanes are committed again long before Kafka forgets them: offsets of a group without members expire
 * (`offsets.retention.minutes`, 7 days by default). A lane just taken counts as due, since nobody knows when it last was.
 */
import type { LaneHold } from './lane-hold.ts';
import type { MarkerWrite } from './ports.ts';

export function dueMarkers(holds: Iterable<LaneHold>, nowMs: number, refreshMs: number): MarkerWrite[] {
  const due: MarkerWrite[] = [];
  for (const hold of holds) {
    const fresh = hold.markerWrittenAtMs !== null && nowMs - hold.markerWrittenAtMs < refreshMs;
    if (!fresh) due.push({ kind: 'lane', lane: hold.lane, value: hold.marker });
  }
  return due;
}
