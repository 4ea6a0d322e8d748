/** The doorbell of one process: no Redis, same merging. */
import type { Doorbell } from '#outbox';
import { type Logger, silentLogger } from '#runtime';
import { createListeners } from './listeners.ts';
import { createPendingRings } from './pending-rings.ts';

/** Listeners hear a ring after the caller's turn, never inside `ring`. */
export function createMemoryDoorbell(options: { readonly logger?: Logger } = {}): Doorbell {
  const listeners = createListeners(options.logger ?? silentLogger);
  const pending = createPendingRings();
  let planned = false;
  let closed = false;
  const flush = () => {
    planned = false;
    listeners.tell(pending.take());
  };
  return {
    ring: (ring) => {
      if (closed) return;
      pending.add(ring);
      if (planned) return;
      planned = true;
      queueMicrotask(flush);
    },
    listen: (onRing) => listeners.add(onRing),
    close: async () => {
      closed = true;
      listeners.clear();
    },
  };
}
