/**
 * The election on a lock service in memory: the same terms and the same rules as on Redis, with a service that the test
 * can turn off, empty and rob. Runs on any clock, so a simulation decides what time it is.
 */
import { createElection, type HeldLock, type LockService, type ProvenElection } from '#leader-election';
import type { Doorbell } from '#outbox';
import { type Clock, type Logger, silentLogger } from '#runtime';

interface MemoryLock {
  readonly owner: object;
  readonly expiresAtMs: number;
}

export interface FakeCandidate extends ProvenElection {
  /** SIGKILL: the candidate never speaks to the service again and nothing is released. */
  crash(): void;
}

export interface FakeCandidateOptions {
  /** The candidate's own clock; the service's when absent. */
  readonly clock?: Clock;
  /** Called as `before:<call>` and `after:<call>` (acquire, renew, release); a rejection means that no answer came. */
  readonly gate?: (name: string) => Promise<void>;
}

export interface FakeElections {
  candidate(doorbell?: Pick<Doorbell, 'ring'>, options?: FakeCandidateOptions): FakeCandidate;
  /** True: no call is answered; false: every listener learns that the service is back. */
  setAway(away: boolean): void;
  /** FLUSHALL. */
  flush(): void;
  /** Gives the lock to a stranger for one TTL. */
  steal(source: string): void;
  isLocked(source: string): boolean;
}

export interface FakeElectionsOptions {
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger?: Logger;
}

const SILENT: Pick<Doorbell, 'ring'> = { ring: () => undefined };

export function createFakeElections(options: FakeElectionsOptions): FakeElections {
  const { ttlMs, clock } = options;
  const logger = options.logger ?? silentLogger;
  const locks = new Map<string, MemoryLock>();
  const listeners = new Set<() => void>();
  let away = false;

  const current = (source: string): MemoryLock | undefined => {
    const lock = locks.get(source);
    return lock && lock.expiresAtMs > clock.nowMs() ? lock : undefined;
  };
  const take = (source: string, owner: object) => {
    locks.set(source, { owner, expiresAtMs: clock.nowMs() + ttlMs });
  };

  type Call = <T>(name: string, silence: T, effect: () => T) => Promise<T>;

  const callThrough = (gate: FakeCandidateOptions['gate'], isDead: () => boolean): Call => {
    return async (name, silence, effect) => {
      // A dead process learns nothing and its timers do not go on.
      if (isDead()) return new Promise<never>(() => undefined);
      try {
        await gate?.(`before:${name}`);
        const answer = away ? silence : effect();
        await gate?.(`after:${name}`);
        return answer;
      } catch {
        return silence;
      }
    };
  };

  const heldLock = (source: string, owner: object, call: Call): HeldLock => ({
    renew: () =>
      call('renew', 'away', () => {
        const lock = current(source);
        if (lock && lock.owner !== owner) return 'lost';
        take(source, owner);
        return 'held';
      }),
    release: () =>
      call('release', undefined, () => {
        if (locks.get(source)?.owner === owner) locks.delete(source);
      }),
  });

  return {
    candidate: (doorbell = SILENT, own = {}) => {
      let dead = false;
      const call = callThrough(own.gate, () => dead);
      const service: LockService = {
        acquire: (source) =>
          call('acquire', null, () => {
            if (current(source)) return null;
            const owner = {};
            take(source, owner);
            return heldLock(source, owner, call);
          }),
        onReachable: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        close: async () => undefined,
      };
      const election = createElection({
        locks: service,
        ttlMs,
        clock: own.clock ?? clock,
        logger,
        doorbell,
      });
      return {
        ...election,
        crash: () => {
          dead = true;
        },
      };
    },
    setAway: (value) => {
      away = value;
      if (!away) for (const listener of [...listeners]) listener();
    },
    flush: () => locks.clear(),
    steal: (source) => take(source, {}),
    isLocked: (source) => current(source) !== undefined,
  };
}
