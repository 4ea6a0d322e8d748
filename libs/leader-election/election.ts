/**
 * An election over Redis's lock, the database's, or both: one attempt a call, a term when it was won.
 *
 * Over both, a leader holds both locks where it can have them, and whoever finds Redis's lock free takes the database's first. So a
 * leader whom only Redis cannot hear is left alone by those who hear Redis, and no two fence each other in turn. While Redis gives
 * no usable answer, the database's lock alone elects once a few TTLs are over; the leader takes Redis's lock, when Redis answers
 * again, without giving up its term.
 */
import type { Doorbell, LeaderElection } from '#outbox';
import { type Clock, type Logger, RelayError } from '#runtime';
import { type ElectionEvent, ElectionNews } from './election-news.ts';
import { FallbackWait } from './fallback-wait.ts';
import { holdTerm, type ProvenTerm, type TermLock } from './hold-term.ts';
import { EXPIRY_MARGIN_MS } from './lock-proof.ts';
import type { Acquired, HeldLock, LockService, SharedLockService } from './lock-service.ts';

/** Below this a term would be trusted for less than a second. */
const TTL_MIN_MS = 2000;
/** Redis is given so many TTLs to answer before the database elects. */
const FALLBACK_AFTER_TTLS = 2;

export interface ElectionOptions {
  /** Null: the database elects. */
  readonly shared: SharedLockService | null;
  /** Null: only Redis elects. */
  readonly database: LockService | null;
  /** Time after which a dead leader's lock in Redis lapses, in whole milliseconds, at least 2000. */
  readonly ttlMs: number;
  /** How often a leader makes sure that its session still holds the database's lock, in milliseconds. */
  readonly checkIntervalMs: number;
  /** How long Redis may be silent before the database elects, in milliseconds; two TTLs when absent. */
  readonly fallbackAfterMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release, so that a standby takes over at once. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onEvent?: ((event: ElectionEvent) => void) | undefined;
}

export interface ProvenElection extends LeaderElection {
  tryAcquire(source: string): Promise<ProvenTerm | null>;
}

/** Throws CONFIG_INVALID when `ttlMs` is out of bounds. */
export function createElection(options: ElectionOptions): ProvenElection {
  const { shared, ttlMs } = options;
  if (shared !== null && (!Number.isSafeInteger(ttlMs) || ttlMs < TTL_MIN_MS)) {
    throw new RelayError('CONFIG_INVALID', `the leader lock's TTL must be at least ${TTL_MIN_MS} ms`);
  }
  return new Election(options);
}

class Election implements ProvenElection {
  readonly #options: ElectionOptions;
  readonly #wait: FallbackWait;
  readonly #news: ElectionNews;
  readonly #terms = new Map<string, ProvenTerm>();
  readonly #attempts = new Map<string, Promise<ProvenTerm | null>>();
  #closing: Promise<void> | null = null;

  constructor(options: ElectionOptions) {
    const { clock, ttlMs, onEvent = () => undefined } = options;
    this.#options = options;
    this.#wait = new FallbackWait(clock, options.fallbackAfterMs ?? FALLBACK_AFTER_TTLS * ttlMs);
    this.#news = new ElectionNews(clock, onEvent);
  }

  /** A source we lead, or are trying for at this moment, is not for a second caller of the same process. */
  async tryAcquire(source: string): Promise<ProvenTerm | null> {
    if (this.#closing !== null || this.#terms.has(source) || this.#attempts.has(source)) return null;
    const trying = this.#attempt(source).finally(() => this.#attempts.delete(source));
    this.#attempts.set(source, trying);
    return trying;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#attempts.values());
    await Promise.all([...this.#terms.values()].map((term) => term.release()));
    await Promise.all([this.#options.shared?.close(), this.#options.database?.close()]);
  }

  async #attempt(source: string): Promise<ProvenTerm | null> {
    const { shared } = this.#options;
    if (shared === null) return this.#byDatabase(source);
    const look = await shared.look(source);
    if (look.kind === 'held') {
      this.#answered(source);
      return null;
    }
    if (look.kind === 'away') {
      this.#wait.silent(source, look.why);
      return this.#withoutRedis(source, look.why, null);
    }
    return this.#byBoth(source, shared);
  }

  /** Redis's lock was free a moment ago. */
  async #byBoth(source: string, shared: SharedLockService): Promise<ProvenTerm | null> {
    const { clock, ttlMs, database } = this.#options;
    const base = database === null ? null : await database.acquire(source);
    // Somebody leads whom Redis does not hear.
    if (base?.kind === 'held') return null;
    const lock = base?.kind === 'won' ? base.lock : null;
    const startedMs = clock.nowMs();
    const won = await shared.acquire(source);
    if (won.kind === 'away') {
      this.#wait.silent(source, won.why);
      return this.#withoutRedis(source, won.why, base);
    }
    this.#answered(source);
    if (won.kind === 'won' && clock.nowMs() < startedMs + ttlMs - EXPIRY_MARGIN_MS && this.#closing === null) {
      return this.#hold(source, { lock: won.lock, startedMs }, lock);
    }
    await Promise.all([lock?.release(), won.kind === 'won' ? won.lock.release() : null]);
    return null;
  }

  /** `base`: what the database has said already. */
  async #withoutRedis(source: string, why: string, base: Acquired | null): Promise<ProvenTerm | null> {
    const dueInMs = this.#wait.dueInMs(source);
    const isDue = dueInMs === 0;
    const found = base ?? (isDue ? ((await this.#options.database?.acquire(source)) ?? null) : null);
    if (found?.kind === 'won') {
      if (isDue && this.#closing === null) return this.#hold(source, null, found.lock);
      await found.lock.release();
    }
    this.#news.waits(source, why, dueInMs, isDue && found?.kind === 'away' ? found.why : null);
    return null;
  }

  async #byDatabase(source: string): Promise<ProvenTerm | null> {
    const won = await this.#options.database?.acquire(source);
    if (won?.kind !== 'won') return null;
    if (this.#closing === null) return this.#hold(source, null, won.lock);
    await won.lock.release();
    return null;
  }

  #answered(source: string): void {
    this.#wait.answered(source);
    this.#news.answered(source);
  }

  #hold(source: string, redis: Omit<TermLock, 'service'> | null, lock: HeldLock | null): ProvenTerm {
    const { shared, database, ttlMs, checkIntervalMs, clock, logger, doorbell } = this.#options;
    const startedMs = clock.nowMs();
    const term = holdTerm({
      source,
      clock,
      logger,
      doorbell,
      shared: shared && { service: shared, ttlMs, lock: redis?.lock ?? null, startedMs: redis?.startedMs ?? startedMs },
      database: database && { service: database, checkIntervalMs, lock, startedMs },
      onAnswer: (found) => {
        if (found === null) this.#wait.answered(source);
        else this.#wait.silent(source, found);
      },
      onMeans: (means) => {
        if (means === 'redis') this.#answered(source);
        else if (shared !== null) this.#news.leadsBy(source, means, this.#wait.whyOf(source) ?? 'HELD');
      },
      onFenced: () => this.#wait.fenced(source),
      onEnd: () => this.#terms.delete(source),
    });
    this.#terms.set(source, term);
    return term;
  }
}
