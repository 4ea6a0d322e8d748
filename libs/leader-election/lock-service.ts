/** The little that a term needs of a lock, so that the same term runs on Redis, on the database and on the simulation's fakes. */

/** No usable answer, which says nothing about who has the lock; `why` is the code of the fault. */
export interface Away {
  readonly kind: 'away';
  readonly why: string;
}

/**
 * `held`: confirmed as ours, or taken again because it had vanished. `lost`: the service answered that it is not ours any
 * more.
 */
export type Renewed = { readonly kind: 'held' } | { readonly kind: 'lost' } | Away;

export type Acquired = { readonly kind: 'won'; readonly lock: HeldLock } | { readonly kind: 'held' } | Away;

export interface HeldLock {
  /** Extends the lock, taking it again if it vanished. Never rejects; bounded by a third of the TTL. */
  renew(): Promise<Renewed>;
  /** Deletes the lock if it is still ours. Never rejects: an unreleased lock lapses by itself. */
  release(): Promise<void>;
}

export interface LockService {
  /** One attempt; `held`: somebody else has the lock. Never rejects. */
  acquire(source: string): Promise<Acquired>;
  /** Calls the listener each time the service can be reached again; returns the unsubscribe function. */
  onReachable(listener: () => void): () => void;
  close(): Promise<void>;
}

/** A lock service that says who has a lock without an attempt at it: what a standby asks twice a second. */
export interface SharedLockService extends LockService {
  look(source: string): Promise<{ readonly kind: 'free' } | { readonly kind: 'held' } | Away>;
}
