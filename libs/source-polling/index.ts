/**
 * Rank 2: the source port on a MySQL-protocol server. In mode `append` rows stay in the application's table, an AUTO_INCREMENT
 * watermark column says how far we are, and nothing here writes to a source or keeps a lock on it past a statement. In mode
 * `consume` the table is an outbox of the application's, whose rows are taken out in the store's transaction (remove-rows.ts).
 * Nothing is remembered between two calls but the table's description, so a crash leaves nothing behind.
 *
 * - `proveGapMode` finds out at start how gaps can be settled, by canary transactions of our own.
 * - `TransactionLister` lists the running transactions, the evidence of gap mode `transactions`.
 * - `createSourceReader` checks the table and reads it; row-encoder.ts has the table of types and their JSON.
 * - A column added to the table shows up with the next row read (`SELECT *` names it in the same statement); one dropped or
 *   renamed stops the source with SOURCE_COLUMNS_GONE.
 * - `listSourcePositions` walks a source for `verify`.
 */
export { type ArchiveChange, archiveTableSql, maintainArchive } from './archive-table.ts';
export { CANARY_TABLE_DEFAULT, canaryTableSql } from './canary-table.ts';
export { createSourceReader, type SourceReaderOptions } from './create-source-reader.ts';
export { neededGraceMs } from './gap-grace.ts';
export { inspectTable, type TableFacts } from './inspect-table.ts';
export { type ListPositionsOptions, listSourcePositions, type SourcePosition } from './list-source-positions.ts';
export { listerOf, type TransactionLister } from './list-transactions.ts';
export { nextPosition } from './next-position.ts';
export { type GapModeOptions, type GapModeProof, proveGapMode, type ServerGapMode } from './prove-gap-mode.ts';
export { TYPE_EXAMPLES } from './type-examples.ts';
