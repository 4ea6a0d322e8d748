/** The lock port and the doorbell: liveness and hints, never the truth (I7). */

/**
 * A term of leadership; the signal aborts when the lock is certainly somebody else's. Silence of the lock service ends no term:
 * the epoch in the database fences whoever goes on wrongly.
 */
export interface LeaderTerm {
  readonly signal: AbortSignal;
  /** Gives the lock back and tells the standby. `fenced`: the database said that somebody else leads. Idempotent. */
  release(why?: 'fenced' | null): Promise<void>;
}

export interface LeaderElection {
  /** One attempt; null when somebody else leads or the lock service is away. */
  tryAcquire(source: string): Promise<LeaderTerm | null>;
  close(): Promise<void>;
}

export type DoorbellRing =
  | { readonly kind: 'rows'; readonly lanes: readonly number[] }
  | { readonly kind: 'leader-gone'; readonly source: string }
  /** An application has committed rows of a source: its leader need not wait for the next poll. */
  | { readonly kind: 'source-rows'; readonly source: string }
  | { readonly kind: 'lanes-changed' }
  | { readonly kind: 'retry-due'; readonly lanes: readonly number[] }
  | { readonly kind: 'markers-due'; readonly lanes: readonly number[] };

/** Hints between processes. Never the truth: a lost ring costs one poll interval. */
export interface Doorbell {
  /** Never rejects and never waits for the network longer than its own deadline. */
  ring(ring: DoorbellRing): void;
  /** Returns the unsubscribe function. */
  listen(onRing: (ring: DoorbellRing) => void): () => void;
  close(): Promise<void>;
}
