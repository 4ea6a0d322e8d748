/**
 * A term of leadership: keeps its locks and decides what an outcome means.
 *
 * Two rules pull against each other. "Step down 1 s before the lock expires" keeps a leader from acting on a lock that is
 * no longer its own. "If Redis is away, the leader goes on" keeps rows flowing when nobody can hold any lock. The first
 * rule is what a lock needs when it is the fence; here it is not: every append compares the epoch in the database, so
 * acting on a lapsed lock costs one fenced transaction and never a row (I2, I7). So an answer decides, silence does not:
 * - Redis answers that somebody else has the lock: the term ends at once;
 * - Redis answers and the lock has vanished (FLUSHALL, restart, lapsed while we were paused): it is taken again in the
 *   same atomic step that would have found somebody else's;
 * - Redis does not answer, or answers only with a refusal: the term goes on, trying again, at once when the connection is
 *   back. From 1 s before the lock's expiry on it is not proven by Redis any more;
 * - the session that holds the database's lock is gone: the term goes on while Redis proves it, and ends otherwise.
 * The database's lock is what keeps others away meanwhile: whoever finds Redis's lock free asks for the database's before it leads.
 * The deadline is monotonic and counted from the start of the attempt, never from its answer: the TTL may have begun then.
 */
import type { Doorbell, LeaderTerm } from '#outbox';
import { type Clock, type Logger, RelayError } from '#runtime';
import type { Means } from './election-news.ts';
import { type KeptLock, keepLock, type Look } from './keep-lock.ts';
import { createLockProof } from './lock-proof.ts';
import type { HeldLock, LockService } from './lock-service.ts';

/** How soon a renewal without an answer is tried again, if the connection does not come back earlier. */
const AWAY_RETRY_MAX_MS = 500;

export interface ProvenTerm extends LeaderTerm {
  /** False while Redis's lock could have lapsed because Redis does not answer; the epoch still fences. */
  readonly proven: boolean;
  readonly means: Means;
}

export interface TermLock {
  readonly service: LockService;
  /** Null: the term begins without it. */
  readonly lock: HeldLock | null;
  /** Monotonic time at which the attempt that won the lock began. */
  readonly startedMs: number;
}

export interface TermOptions {
  readonly source: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  /** Null: there is no Redis. */
  readonly shared: (TermLock & { readonly ttlMs: number }) | null;
  /** Null: the database gives no locks. */
  readonly database: (TermLock & { readonly checkIntervalMs: number }) | null;
  /** Told attempt by attempt: null, Redis has confirmed the lock; otherwise why there was no usable answer. */
  readonly onAnswer: (why: string | null) => void;
  /** Told at once, and whenever it changes. */
  readonly onMeans: (means: Means) => void;
  /** A term that Redis did not prove was fenced. */
  readonly onFenced: () => void;
  /** Called once, when no lock is held by this term any more. */
  readonly onEnd: () => void;
}

type OnLook = (look: Look, startedMs: number) => void;

function keepBoth(
  ended: AbortSignal,
  { source, clock, shared, database }: TermOptions,
  onShared: OnLook,
  onDatabase: OnLook,
): readonly KeptLock[] {
  const kept: KeptLock[] = [];
  const common = { source, clock };
  if (shared !== null) {
    const pace = { everyMs: Math.floor(shared.ttlMs / 3), againMs: AWAY_RETRY_MAX_MS };
    kept.push(keepLock(ended, { ...common, ...shared, ...pace, onLook: onShared }));
  }
  if (database !== null) {
    const pace = { everyMs: database.checkIntervalMs, againMs: database.checkIntervalMs };
    kept.push(keepLock(ended, { ...common, ...database, ...pace, onLook: onDatabase }));
  }
  return kept;
}

/** Starts renewing; the term ends by `release`, or by itself when the lock is somebody else's. */
export function holdTerm(options: TermOptions): ProvenTerm {
  const { source, clock, logger, shared, database } = options;
  const ended = new AbortController();
  const proof = createLockProof(shared?.ttlMs ?? 0, clock);
  if (shared?.lock) proof.confirmed(shared.startedMs);
  let isDatabaseHeld = database !== null && database.lock !== null;
  const means = (): Means => (proof.proven ? 'redis' : isDatabaseHeld ? 'database' : 'epoch');
  let told: Means | null = null;
  const tell = () => {
    if (told === means()) return;
    told = means();
    options.onMeans(told);
  };

  const end = (reason: string) => ended.abort(new RelayError('STOPPED', reason, { details: { source } }));
  const stepDown = (reason: string) => {
    logger.warn({ source }, `${reason}, stepping down`);
    end(reason);
  };
  const onSharedLook = (look: Look, startedMs: number) => {
    if (look.kind === 'away') options.onAnswer(look.why);
    if (look.kind === 'held') options.onAnswer(null);
    if (look.kind === 'lost') return stepDown('the leader lock is held by another process');
    if (look.kind === 'held') proof.confirmed(startedMs);
    tell();
  };
  const onDatabaseLook = (look: Look) => {
    if (look.kind !== 'away') isDatabaseHeld = look.kind === 'held';
    const isGone = look.kind === 'lost' || look.kind === 'elsewhere';
    if (isGone && !proof.proven) return stepDown('the session of the leader lock is gone');
    tell();
  };

  const kept = keepBoth(ended.signal, options, onSharedLook, onDatabaseLook);
  const letGo = async () => {
    // A renewal under way would take the lock again after the delete.
    const locks = await Promise.all(kept.map((each) => each.stopped()));
    await Promise.all(locks.map((lock) => lock?.release()));
    options.onEnd();
  };
  // Also where nobody releases it yet: what is still held keeps others away.
  const gone = letGo();
  tell();

  const release = async (why: 'fenced' | null) => {
    const wasOurs = !ended.signal.aborted;
    if (why === 'fenced' && means() !== 'redis') options.onFenced();
    if (wasOurs) end('released');
    await gone;
    if (!wasOurs) return;
    options.doorbell.ring({ kind: 'leader-gone', source });
    logger.info({ source }, 'released the leader lock');
  };
  let releasing: Promise<void> | null = null;

  return {
    signal: ended.signal,
    get proven() {
      return !ended.signal.aborted && proof.proven;
    },
    get means() {
      return means();
    },
    release: (why = null) => {
      releasing ??= release(why);
      return releasing;
    },
  };
}
