/** The little that a term needs of a lock, so that the same term runs on Redis and on the simulation's fake. */

/**
 * `held`: confirmed as ours, or taken again because it had vanished. `lost`: the service answered that somebody else has
 * it. `away`: no usable answer, which says nothing about who has it.
 */
export type RenewOutcome = 'held' | 'lost' | 'away';

export interface HeldLock {
  /** Extends the lock by its full TTL, taking it again if it vanished. Never rejects; bounded by a third of the TTL. */
  renew(): Promise<RenewOutcome>;
  /** Deletes the lock if it is still ours. Never rejects: an unreleased lock lapses by itself. */
  release(): Promise<void>;
}

export interface LockService {
  /** One attempt: null when somebody else holds the lock or the service is away. Never rejects. */
  acquire(source: string): Promise<HeldLock | null>;
  /** Calls the listener each time the service can be reached again; returns the unsubscribe function. */
  onReachable(listener: () => void): () => void;
  close(): Promise<void>;
}
