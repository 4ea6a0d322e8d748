/**
 * The last look before a lane delivers: is its marker in Kafka the one the database expects? Called only after every producer
 * that could still write the marker is fenced. A state that should not exist halts the lane (I8), it never means "from zero".
 */
import type { Clock } from '#runtime';
import { laneEnd, laneFloor, sequenceOf } from './lane.ts';
import type { KafkaPort, SenderStore } from './ports.ts';

export interface ExpectedMarker {
  readonly lane: number;
  /** What the database recorded as delivered and deleted; null: the first marker was never written. */
  readonly deliveredId: number | null;
  /**
   * What this process had acknowledged as committed, or the lane's floor. A marker behind it that stays there means that
   * Kafka has lost the commit; nothing of it is deleted yet, so that it is delivered again.
   */
  readonly committedId: number;
}

export type MarkerVerdict =
  | { readonly kind: 'ready'; readonly marker: number }
  | { readonly kind: 'first' }
  | { readonly kind: 'halt'; readonly why: string };

const SETTLE_PACE_MS = 50;

/**
 * Reads the markers and judges each. A marker behind what is certain is re-read for `settleMs` first: the group
 * coordinator may show a committed offset a moment late.
 */
export async function verifyMarkers(
  ports: {
    readonly kafka: KafkaPort;
    readonly store: SenderStore;
    readonly clock: Clock;
  },
  expected: readonly ExpectedMarker[],
  settleMs: number,
): Promise<Map<number, MarkerVerdict>> {
  const verdicts = new Map<number, MarkerVerdict>();
  const deadlineMs = ports.clock.nowMs() + settleMs;
  let open = expected;
  while (open.length > 0) {
    const markers = await ports.kafka.readMarkers(
      'lane',
      open.map(({ lane }) => lane),
    );
    const last = ports.clock.nowMs() >= deadlineMs;
    const behind: ExpectedMarker[] = [];
    for (const lane of open) {
      const marker = markers.get(lane.lane) ?? -1;
      const least = Math.max(lane.committedId, lane.deliveredId ?? laneFloor(lane.lane));
      if (marker < least && lane.deliveredId !== null && !last) behind.push(lane);
      else verdicts.set(lane.lane, judge(lane, marker));
    }
    open = behind;
    if (open.length > 0) await ports.clock.sleep(SETTLE_PACE_MS);
  }
  await refuseMarkersAhead(ports.store, verdicts);
  return verdicts;
}

function judge(lane: ExpectedMarker, marker: number): MarkerVerdict {
  const floor = laneFloor(lane.lane);
  if (lane.deliveredId === null) {
    if (marker === -1) return { kind: 'first' };
    if (marker === floor) return { kind: 'ready', marker };
    return {
      kind: 'halt',
      why: `Kafka has marker ${marker} for a lane that never delivered by this database: tables made anew, or a transactional id prefix shared with another relay`,
    };
  }
  if (marker === -1) {
    return {
      kind: 'halt',
      why: `the marker is gone from Kafka (expired or deleted); the database says delivered up to ${lane.deliveredId}`,
    };
  }
  if (marker < lane.deliveredId)
    return {
      kind: 'halt',
      why: `marker ${marker} in Kafka is behind ${lane.deliveredId}, which was delivered`,
    };
  if (marker >= laneEnd(lane.lane))
    return {
      kind: 'halt',
      why: `marker ${marker} in Kafka is not an id of this lane`,
    };
  return { kind: 'ready', marker };
}

/** A marker that names a sequence never handed out means that the database is older than Kafka: a restored backup. */
async function refuseMarkersAhead(store: SenderStore, verdicts: Map<number, MarkerVerdict>): Promise<void> {
  for (const [lane, verdict] of verdicts) {
    if (verdict.kind !== 'ready' || verdict.marker === laneFloor(lane)) continue;
    const next = await store.nextSequenceOf(lane);
    if (sequenceOf(verdict.marker) < next) continue;
    verdicts.set(lane, {
      kind: 'halt',
      why: `marker ${verdict.marker} in Kafka is ahead of the database (next sequence ${next}): the database was restored from a backup`,
    });
  }
}
