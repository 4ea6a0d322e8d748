/**
 * The pure core of the relay: lane and id arithmetic, the ports, and the two protocols. `runSource` is a writer's life for one
 * source (stand by, lead, move rows), `Sender` a sender's (take lanes, deliver, give back). Nothing here touches a server,
 * a timer or chance directly. After a crash at any point, the watermark row and the markers in Kafka say what is true.
 */
export { ownHeaders, traceHeaders } from './event-headers.ts';
export type { SenderEvent, WriterEvent } from './events.ts';
export { fairShare } from './fair-share.ts';
export { type OpenPage, rangesOf } from './gap-page.ts';
export { decodeRanges, encodeRanges, isIn } from './gap-range.ts';
export { GapSet } from './gap-set.ts';
export {
  beginIncarnation,
  currentIncarnation,
  eventIdAt,
  incarnationAt,
  incarnationsFromText,
  incarnationsToText,
  parseEventId,
} from './incarnations.ts';
export { KnownTopics } from './known-topics.ts';
export * from './lane.ts';
export { LANE_MOVES, type LaneMove, type LanePhase, newLanePhase } from './lane-states.ts';
export { murmur2 } from './murmur2.ts';
export { firstPosition, type Known, openTerm } from './open-term.ts';
export {
  errorText,
  type GapSums,
  type LaneBacklog,
  type MemberStatus,
  type OutboxTables,
  type WaitingRow,
} from './outbox-views.ts';
export {
  type AcceptanceOptions,
  type AcceptancePlan,
  type AcceptFrom,
  planAcceptance,
} from './plan-acceptance.ts';
export type * from './ports.ts';
export { runSource } from './run-source.ts';
export type { RunSourceOptions, StartFrom } from './run-source-options.ts';
export { Sender } from './sender.ts';
export type { RowFaultPolicy, SenderOptions } from './sender-options.ts';
export { isTopicName, sentTopics } from './sent-topics.ts';
export type * from './source-definition.ts';
export { howToGoOn } from './source-halts.ts';
export { bytesOf } from './split-batch.ts';
export { NO_FACTS, type TableFactsTexts, tableFactsFromTexts, tableFactsToTexts } from './table-facts.ts';
export { doubtsFromText, IN_DOUBT, joinDoubts, showTarget, type Target, targetName, targetOf } from './targets.ts';
export { TERM_MOVES, type TermState } from './term-states.ts';
export { withReader } from './with-reader.ts';
export type { WriterTerm } from './writer-term.ts';
