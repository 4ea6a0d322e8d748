/** Which faults of topics and partitions are worth a line of the log: the first one, a change, and one a minute. */
import { type SenderEvent, showTarget } from '#outbox';
import type { Clock } from '#runtime';

/** What stays as it is is told again so late. */
const AGAIN_AFTER_MS = 60_000;
/** Targets remembered; of one that was forgotten a line more is told. */
const TARGETS_MAX = 10_000;

/** True: an event that was not told within the last minute. Each target is tried every few seconds, by every sender. */
export function createTargetLines(clock: Clock): (event: SenderEvent) => boolean {
  const said = new Map<string, { readonly text: string; readonly atMs: number }>();
  return (event) => {
    if (event.kind === 'target-back') said.delete(showTarget(event));
    if (event.kind !== 'target-blocked') return true;
    const target = showTarget(event);
    const text = `${event.code} ${event.isAside}`;
    const before = said.get(target);
    const nowMs = clock.nowMs();
    if (before?.text === text && nowMs - before.atMs < AGAIN_AFTER_MS) return false;
    said.delete(target);
    said.set(target, { text, atMs: nowMs });
    if (said.size > TARGETS_MAX) said.delete(said.keys().next().value as string);
    return true;
  };
}
