/**
 * Deletes delivered rows behind the marker (I6), in ranges, on a timer of its own and never in delivery's way. An acknowledged
 * commit is not enough to delete by: a broker that was stopped under load has acknowledged one and lost it (Kafka 4.3.1,
 * KAFKA-20734). Only what is read back from Kafka is.
 */
import { asRelayError, backoffMs, Progress } from '#runtime';
import type { LaneHold } from './lane-hold.ts';
import type { SenderOptions } from './sender-options.ts';

/** Ranges one lane may trim before the next lane has its turn. */
const RANGES_MAX = 10;
/** The longest pause after faults, in usual ones. */
const PAUSE_GROWTH_MAX = 20;

export async function trimLoop(
  options: SenderOptions,
  holds: ReadonlyMap<number, LaneHold>,
  signal: AbortSignal,
  standing: Standing,
  /** Markers that were acknowledged are not there and do not come: only a fresh session can tell what became of them. */
  onUnsettled: () => void,
): Promise<void> {
  const progress = new Progress();
  while (!signal.aborted) {
    let more = false;
    let isWell = await settle(options, [...holds.values()], standing, progress);
    if (standing() !== null && [...holds.values()].some((hold) => isMissed(options, hold))) onUnsettled();
    for (const hold of [...holds.values()]) {
      if (signal.aborted) return;
      const outcome = await trimLane(options, hold, RANGES_MAX, progress);
      more ||= outcome === 'more';
      isWell &&= outcome !== 'failed';
    }
    if (isWell) progress.idle(options.clock.nowMs());
    if (!more || !isWell) await options.clock.sleep(pauseOf(options, progress.faults), signal);
  }
}

/** Rows that are not deleted yet keep nobody waiting: a server that is away is not asked at the usual pace. */
const pauseOf = ({ trimIntervalMs, random }: SenderOptions, faults: number): number =>
  faults === 0
    ? trimIntervalMs
    : backoffMs(faults, { baseMs: trimIntervalMs, maxMs: trimIntervalMs * PAUSE_GROWTH_MAX }, random);

const isMissed = ({ clock, markerSettleMs }: SenderOptions, { unsettledSinceMs }: LaneHold): boolean =>
  unsettledSinceMs !== null && clock.nowMs() - unsettledSinceMs > markerSettleMs;

/**
 * Names the time from a verified session to its first fault, null in between. In between, a marker that Kafka has written for
 * good may belong to a transaction whose records were torn from it, and nobody has looked yet.
 */
export type Standing = () => number | null;

/** Learns which markers are there to stay. A fault of the world is left for the next round: false. */
export async function settle(
  options: Pick<SenderOptions, 'kafka' | 'clock'>,
  holds: readonly LaneHold[],
  standing: Standing,
  progress: Progress = new Progress(),
): Promise<boolean> {
  const before = standing();
  if (before === null) return true;
  const open = holds.filter(({ settled, marker }) => settled < marker);
  if (open.length === 0) return true;
  // What is committed meanwhile is not asked for.
  const committed = new Map(open.map((hold) => [hold, hold.marker]));
  try {
    const markers = await options.kafka.settledMarkers(
      'lane',
      open.map(({ lane }) => lane),
    );
    if (standing() !== before) return true;
    for (const [hold, marker] of committed) {
      const found = markers === null ? marker : (markers.get(hold.lane) ?? -1);
      const settled = Math.max(hold.settled, Math.min(found, marker));
      const sinceMs = settled > hold.settled ? null : hold.unsettledSinceMs;
      hold.settled = settled;
      hold.unsettledSinceMs = settled >= hold.marker ? null : (sinceMs ?? options.clock.nowMs());
    }
    return true;
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict === 'fatal') throw error;
    progress.failed(error, options.clock.nowMs());
    return false;
  }
}

/** Trims what is settled; `more` is left, or none. A fault of the world is left for the next round. */
export async function trimLane(
  options: SenderOptions,
  hold: LaneHold,
  rangesMax = RANGES_MAX,
  progress: Progress = new Progress(),
): Promise<'more' | 'none' | 'failed'> {
  try {
    for (let range = 0; range < rangesMax && hold.trimmed < hold.settled; range += 1) {
      const upTo = hold.settled;
      hold.trimmed = await options.store.deleteDelivered(hold.lane, hold.trimmed, upTo, options.trimRowsMax);
      if (hold.trimmed >= upTo) options.onEvent({ kind: 'deleted', lane: hold.lane, upTo });
    }
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict === 'fatal') throw error;
    progress.failed(error, options.clock.nowMs());
    return 'failed';
  }
  return hold.trimmed < hold.settled ? 'more' : 'none';
}
