/**
 * Doorbells of several processes in one: a ring reaches all of them, in the same turn of the event loop or not at all.
 * The simulation makes it lossy, because the protocol must not need it.
 */
import type { Doorbell, DoorbellRing } from '#outbox';

export interface FakeDoorbells {
  /** One process's end. */
  doorbell(): Doorbell;
  /** True: nothing is heard by anybody else, as while Redis is away. */
  setAway(away: boolean): void;
}

export interface FakeDoorbellsOptions {
  /** Asked for every ring and every other end: true loses it on the way. */
  readonly isLost?: () => boolean;
}

interface End {
  readonly listeners: Set<(ring: DoorbellRing) => void>;
  waiting: DoorbellRing[];
  closed: boolean;
}

/** Merges the lanes of equal kinds, as a real doorbell may. */
function merge(rings: readonly DoorbellRing[]): DoorbellRing[] {
  const merged = new Map<string, DoorbellRing>();
  for (const ring of rings) {
    const name = 'source' in ring ? `${ring.kind} ${ring.source}` : ring.kind;
    const before = merged.get(name);
    const both = before && 'lanes' in before && 'lanes' in ring;
    merged.set(name, both ? { kind: ring.kind, lanes: [...new Set([...before.lanes, ...ring.lanes])] } : ring);
  }
  return [...merged.values()];
}

export function createFakeDoorbells(options: FakeDoorbellsOptions = {}): FakeDoorbells {
  const ends = new Set<End>();
  let away = false;

  const tell = (end: End, ring: DoorbellRing) => {
    for (const listener of [...end.listeners]) {
      try {
        listener(ring);
      } catch {
        // As on the real one: a listener's fault is its own.
      }
    }
  };
  const flush = (from: End) => {
    const rings = merge(from.waiting);
    from.waiting = [];
    for (const ring of rings) {
      for (const end of [...ends]) {
        if (end === from || !(away || (options.isLost?.() ?? false))) tell(end, ring);
      }
    }
  };

  return {
    setAway: (value) => {
      away = value;
    },
    doorbell: () => {
      const end: End = { listeners: new Set(), waiting: [], closed: false };
      ends.add(end);
      return {
        ring: (ring) => {
          if (end.closed) return;
          end.waiting.push(ring);
          if (end.waiting.length === 1) queueMicrotask(() => flush(end));
        },
        listen: (onRing) => {
          const listener = (ring: DoorbellRing) => onRing(ring);
          end.listeners.add(listener);
          return () => void end.listeners.delete(listener);
        },
        close: async () => {
          end.closed = true;
          end.listeners.clear();
          // Rings of the same turn still go out, as the real one's last rings do.
          await null;
          ends.delete(end);
        },
      };
    },
  };
}
