/** Who listens in this process. A listener that throws is logged and does not keep the others from hearing. */
import type { DoorbellRing } from '#outbox';
import { asRelayError, type Logger } from '#runtime';

export interface Listeners {
  add(onRing: (ring: DoorbellRing) => void): () => void;
  tell(rings: readonly DoorbellRing[]): void;
  clear(): void;
}

export function createListeners(logger: Logger): Listeners {
  const listeners = new Set<(ring: DoorbellRing) => void>();
  const tellOne = (listener: (ring: DoorbellRing) => void, ring: DoorbellRing) => {
    try {
      listener(ring);
    } catch (error) {
      logger.error({ err: asRelayError(error), kind: ring.kind }, 'a doorbell listener failed');
    }
  };
  return {
    add: (onRing) => {
      // Wrapped, so that one function listening twice is two listeners.
      const listener = (ring: DoorbellRing) => onRing(ring);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell: (rings) => {
      for (const ring of rings) for (const listener of [...listeners]) tellOne(listener, ring);
    },
    clear: () => listeners.clear(),
  };
}
