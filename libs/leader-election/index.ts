/**
 * Rank 2: who may write a source. One leader a source, others hot standby.
 *
 * The lock is for liveness only. What keeps two leaders from both writing (I2) is the epoch in the database, which the
 * winner of an election raises; so a leader may go on while Redis is away, and a leader whose append comes back `fenced`
 * must release its term and stand for election again.
 * With Redis there are two locks. A leader holds both where it can have them; a candidate that finds Redis's lock free asks for the
 * database's before it leads. Redis's lock lapses by its TTL, the database's with its session. By what a term leads (`means`):
 * redis (confirmed less than TTL - 1 s ago) -> database (Redis gives no usable answer, the session holds the lock) or epoch (nor does
 * it) -> redis, and from each: lost (the signal aborts) or released (by us).
 */
export { createDatabaseElection, type DatabaseElectionOptions } from './database-election.ts';
export type { DatabaseLocksOptions } from './database-locks.ts';
export { createElection, type ElectionOptions, type ProvenElection } from './election.ts';
export type { ElectionEvent, Means } from './election-news.ts';
export type { ProvenTerm } from './hold-term.ts';
export type { Acquired, Away, HeldLock, LockService, Renewed, SharedLockService } from './lock-service.ts';
export type { LockSession } from './lock-session.ts';
export { probeLocks } from './probe-locks.ts';
export { createRedisElection, type RedisElectionOptions } from './redis-election.ts';
export { type ElectedBy, type WhoElectedOptions, whoElected } from './who-elected.ts';
