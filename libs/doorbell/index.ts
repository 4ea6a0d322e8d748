/**
 * Rank 2: the doorbell, hints between processes over Redis publish/subscribe, or within one process in memory.
 *
 * Never the truth: a lost ring costs one poll interval, a doubled ring one empty read. Everyone who listens hears every
 * ring, the process that rang included, and hears its own even while Redis is away. Rings of the same kind that come
 * faster than Redis answers are merged, so a slow Redis gets fewer and larger messages, never a queue.
 */
export { type CommitHints, type CommitHintsOptions, createCommitHints } from './create-commit-hints.ts';
export { createMemoryDoorbell } from './memory-doorbell.ts';
export { probeDoorbell } from './probe-doorbell.ts';
export { createRedisDoorbell, type RedisDoorbellOptions } from './redis-doorbell.ts';
