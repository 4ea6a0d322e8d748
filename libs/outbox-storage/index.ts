/**
 * Rank 2: the outbox store on a MySQL-protocol database. A lane is free (no holder), held (a lease runs), lapsed (it ran out)
 * or not running (halted, paused); an outbox row is waiting or gone; a row aside is retrying, parked or dead. After a crash:
 * the watermark row says exactly what was appended, a lane's `fence_ids` and holder name everybody who may still be sending,
 * and `delivered_id` is at or below the lane's marker in Kafka. All clocks are the database's.
 */
export { countAside } from './count-aside.ts';
export { createSenderStore } from './create-sender-store.ts';
export { createWriterStore } from './create-writer-store.ts';
export { type DeadLetter, dropDead, type ListAsideOptions, listDeadLetters, requeueDead } from './dead-letters.ts';
export { findMissingGrants, GRANTS, type MissingGrant, type Privilege } from './find-missing-grants.ts';
export { forgetDead } from './forget-dead.ts';
export { type GrowLanesRequest, type GrowOutcome, growLanes } from './grow-lanes.ts';
export { type LargestRow, largestRows } from './largest-rows.ts';
export { type DueLane, listDueLanes } from './list-due-lanes.ts';
export { listMembers, reportStalls } from './list-members.ts';
export { listWaiting } from './list-waiting.ts';
export { listWatermarks } from './list-watermarks.ts';
export { loadStart, type SourceStart } from './load-start.ts';
export { checkSchema, initSql, type MigrateResult, migrate, schemaVersion } from './migrate.ts';
export { outboxStatistics } from './outbox-statistics.ts';
export { pauseLane } from './pause-lane.ts';
export { type ResumeFrom, resumeLane } from './resume-lane.ts';
export type { StoreOptions } from './storage.ts';
export { sumGaps } from './sum-gaps.ts';
