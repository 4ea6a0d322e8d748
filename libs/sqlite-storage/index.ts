/**
 * Rank 2: source and outbox store in one SQLite file, which the application shares. The file is in WAL mode and has one
 * writer at a time; every transaction of the relay is one turn of the event loop. After a crash SQLite rolls back what was
 * not committed, and the rows say the rest as on a server: the watermark row what was appended, a lane's holder and
 * `fence_ids` everybody who may still be sending, `delivered_id` at or below the lane's marker in Kafka.
 */
export { ConsumeQueue, type ConsumeQueueOptions } from './consume-queue.ts';
export { createSenderStore } from './create-sender-store.ts';
export { createSourceReader, type SourceReaderOptions } from './create-source-reader.ts';
export { createWriterStore, type WriterStoreOptions } from './create-writer-store.ts';
export { fileIdOf, initSql, type MigrateResult, migrate } from './migrate.ts';
export * from './operate.ts';
export { type RelayLock, tryRelayLock } from './relay-lock.ts';
export { openSqliteFile, type SqliteFile, type SqliteFileOptions } from './sqlite-file.ts';
export type { StoreOptions } from './storage.ts';
export { watchCommits } from './watch-commits.ts';
