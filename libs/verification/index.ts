/**
 * Rank 2: did every row of a source get into its topic exactly once, in order per key? A pure comparison, fed with what was
 * read: first the rows known to be on their way, then the topic's records, then the source's rows. `verify`, the demo and
 * the drills all use it.
 * Memory: about one bit a row where ids are dense (two bytes where they are not) and about 32 bytes a key; whole rows are
 * kept only as examples, at most EXAMPLES_MAX a kind.
 */
export { ChunkedRows } from './chunked-rows.ts';
export {
  type CheckedRecord,
  DeliveryCheck,
  type DeliveryCheckOptions,
  EXAMPLES_MAX,
  type Example,
  type Finding,
  type OnItsWay,
  type RowOnItsWay,
  type SourceCheck,
} from './delivery-check.ts';
export { LastIds } from './last-ids.ts';
export { PositionRanges, type Range } from './position-ranges.ts';
export { PositionSet } from './position-set.ts';
export { type CheckTotals, summarise, summaryLine } from './summarise.ts';
