/**
 * The election on lock services in memory: the same terms and the same rules as on Redis and the database, with services that the
 * test can turn off, empty and rob. Runs on any clock, so a simulation decides what time it is.
 */
import {
  type Acquired,
  createElection,
  type ElectionEvent,
  type HeldLock,
  type LockService,
  type ProvenElection,
  type SharedLockService,
} from '#leader-election';
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
  /** Called as `before:<call>` and `after:<call>` (look, acquire, renew, release); a rejection means that no answer came. */
  readonly gate?: (name: string) => Promise<void> | undefined;
  /** True while this candidate alone cannot reach the service. */
  readonly isCutOff?: () => boolean;
  /** The database's locks as this candidate sees them; none when absent. */
  readonly database?: LockService;
  /** Milliseconds; the election's own default when absent. */
  readonly fallbackAfterMs?: number;
  readonly checkIntervalMs?: number;
  readonly onEvent?: (event: ElectionEvent) => void;
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

const CHECK_INTERVAL_MS = 1_000;
const AWAY = { kind: 'away', why: 'NO_ANSWER' } as const;

const SILENT: Pick<Doorbell, 'ring'> = { ring: () => undefined };

/** One call of a candidate: `silence` is what it hears when no answer comes. */
type Call = <T>(name: string, silence: T, effect: () => T) => Promise<T>;

/** The service's memory, shared by all candidates. */
class MemoryLocks {
  away = false;
  readonly listeners = new Set<() => void>();
  readonly #locks = new Map<string, MemoryLock>();
  readonly #ttlMs: number;
  readonly #clock: Clock;

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  ownerOf(source: string): object | null {
    const lock = this.#locks.get(source);
    return lock && lock.expiresAtMs > this.#clock.nowMs() ? lock.owner : null;
  }

  take(source: string, owner: object): void {
    this.#locks.set(source, { owner, expiresAtMs: this.#clock.nowMs() + this.#ttlMs });
  }

  drop(source: string, owner: object): void {
    if (this.#locks.get(source)?.owner === owner) this.#locks.delete(source);
  }

  clear(): void {
    this.#locks.clear();
  }
}

function callThrough(locks: MemoryLocks, own: FakeCandidateOptions, isDead: () => boolean): Call {
  return async (name, silence, effect) => {
    // A dead process learns nothing and its timers do not go on.
    if (isDead()) return new Promise<never>(() => undefined);
    try {
      await own.gate?.(`before:${name}`);
      const answer = locks.away || own.isCutOff?.() ? silence : effect();
      await own.gate?.(`after:${name}`);
      return answer;
    } catch {
      return silence;
    }
  };
}

function heldLock(locks: MemoryLocks, source: string, owner: object, call: Call): HeldLock {
  return {
    renew: () =>
      call<Awaited<ReturnType<HeldLock['renew']>>>('renew', AWAY, () => {
        const current = locks.ownerOf(source);
        if (current !== null && current !== owner) return { kind: 'lost' };
        locks.take(source, owner);
        return { kind: 'held' };
      }),
    release: () => call('release', undefined, () => locks.drop(source, owner)),
  };
}

function serviceOf(locks: MemoryLocks, call: Call): SharedLockService {
  return {
    look: (source) =>
      call<Awaited<ReturnType<SharedLockService['look']>>>('look', AWAY, () => ({
        kind: locks.ownerOf(source) === null ? 'free' : 'held',
      })),
    acquire: (source) =>
      call<Acquired>('acquire', AWAY, () => {
        if (locks.ownerOf(source) !== null) return { kind: 'held' };
        const owner = {};
        locks.take(source, owner);
        return { kind: 'won', lock: heldLock(locks, source, owner, call) };
      }),
    onReachable: (listener) => {
      locks.listeners.add(listener);
      return () => locks.listeners.delete(listener);
    },
    close: async () => undefined,
  };
}

export function createFakeElections(options: FakeElectionsOptions): FakeElections {
  const { ttlMs, clock, logger = silentLogger } = options;
  const locks = new MemoryLocks(ttlMs, clock);
  return {
    candidate: (doorbell = SILENT, own = {}) => {
      let dead = false;
      const election = createElection({
        shared: serviceOf(
          locks,
          callThrough(locks, own, () => dead),
        ),
        database: own.database ?? null,
        ttlMs,
        checkIntervalMs: own.checkIntervalMs ?? CHECK_INTERVAL_MS,
        ...(own.fallbackAfterMs === undefined ? {} : { fallbackAfterMs: own.fallbackAfterMs }),
        clock: own.clock ?? clock,
        logger,
        doorbell,
        onEvent: own.onEvent,
      });
      return {
        tryAcquire: (source) => election.tryAcquire(source),
        close: () => election.close(),
        crash: () => {
          dead = true;
        },
      };
    },
    setAway: (away) => {
      locks.away = away;
      if (!away) for (const listener of [...locks.listeners]) listener();
    },
    flush: () => locks.clear(),
    steal: (source) => locks.take(source, {}),
    isLocked: (source) => locks.ownerOf(source) !== null,
  };
}
