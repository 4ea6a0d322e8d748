/** A sender's events tell its progress: in one place, so that no way of delivering is forgotten. */
import type { Progress } from '#runtime';
import type { SenderEvent } from './events.ts';
import type { SenderOptions } from './sender-options.ts';

/** What is told of rows that were delivered, or of a topic that takes none, is what there is to know of progress. */
export function noticing(options: SenderOptions, progress: Progress): SenderOptions {
  const onEvent = (event: SenderEvent): void => {
    const nowMs = options.clock.nowMs();
    if (event.kind === 'delivered' || event.kind === 'row-recovered') progress.moved(nowMs);
    if (event.kind === 'target-blocked') {
      const { code, cause, message } = event;
      progress.hindered({ cause, text: `${code}: ${message}` }, nowMs);
    }
    options.onEvent(event);
  };
  return { ...options, onEvent };
}
