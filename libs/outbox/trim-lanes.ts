/** Deletes delivered rows behind the marker (I6), in ranges, on a timer of its own and never in delivery's way. */
import { asRelayError } from '#runtime';
import type { LaneHold } from './lane-hold.ts';
import type { SenderOptions } from './sender-options.ts';

/** Ranges one lane may trim before the next lane has its turn. */
const RANGES_MAX = 10;

export async function trimLoop(
  options: SenderOptions,
  holds: ReadonlyMap<number, LaneHold>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let more = false;
    for (const hold of [...holds.values()]) {
      if (signal.aborted) return;
      more = (await trimLane(options, hold)) || more;
    }
    if (!more) await options.clock.sleep(options.trimIntervalMs, signal);
  }
}

/** Trims towards the marker; true when more is left. A fault of the world is left for the next round. */
export async function trimLane(options: SenderOptions, hold: LaneHold, rangesMax = RANGES_MAX): Promise<boolean> {
  try {
    for (let range = 0; range < rangesMax && hold.trimmed < hold.marker; range += 1) {
      const upTo = hold.marker;
      hold.trimmed = await options.store.deleteDelivered(hold.lane, hold.trimmed, upTo, options.trimRowsMax);
      if (hold.trimmed >= upTo) options.onEvent({ kind: 'deleted', lane: hold.lane, upTo });
    }
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict === 'fatal') throw error;
    return false;
  }
  return hold.trimmed < hold.marker;
}
