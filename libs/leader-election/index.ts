/**
 * Rank 2: who may write a source. One leader a source, others hot standby.
 *
 * States of a term: proven (the lock was confirmed less than TTL - 1 s ago) -> unproven (Redis does not answer) -> proven,
 * and from either: lost (Redis answers that somebody else has the lock; the signal aborts) or released (by us).
 * The lock is for liveness only. What keeps two leaders from both writing (I2) is the epoch in the database, which the
 * winner of an election raises; so a leader may go on while Redis is away, and a leader whose append comes back `fenced`
 * must release its term and stand for election again.
 * After a crash the lock lapses by its TTL (Redis) or with the connection (database).
 */
export {
  createDatabaseElection,
  type DatabaseElectionOptions,
} from './database-election.ts';
export {
  createElection,
  type ElectionOptions,
  type ProvenElection,
} from './election.ts';
export type { ProvenTerm } from './hold-term.ts';
export type { HeldLock, LockService, RenewOutcome } from './lock-service.ts';
export type { LockSession } from './lock-session.ts';
export {
  createRedisElection,
  type RedisElectionOptions,
} from './redis-election.ts';
