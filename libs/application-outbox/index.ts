/**
 * Rank 2: the application's side. An event is written to the outbox table in the transaction of the change that it tells of:
 * after a crash either both are there or neither. The relay's source mode `consume` moves the table's rows to the lanes and
 * deletes them in one transaction, and the senders deliver them. Nothing here talks to Kafka in a business transaction.
 */
export { type DrizzleTag, type DrizzleTransaction, drizzleTransaction } from './adapters/drizzle.ts';
export { type KnexTransaction, knexTransaction } from './adapters/knex.ts';
export { type KyselyRawQuery, type KyselyTransaction, kyselyTransaction } from './adapters/kysely.ts';
export { type PrismaTransaction, prismaTransaction } from './adapters/prisma.ts';
export { type TypeormManager, typeormTransaction } from './adapters/typeorm.ts';
export { avroFormatter } from './formatters/avro.ts';
export { type CloudEventsOptions, cloudEventsFormatter } from './formatters/cloud-events.ts';
export type { EventFormatter, FormattedEvent, SyncEventFormatter } from './formatters/event-formatter.ts';
export { jsonFormatter } from './formatters/json.ts';
export { jsonSchemaFormatter } from './formatters/json-schema.ts';
export { rawFormatter } from './formatters/raw.ts';
export type { EncodedEvent } from './insert-statement.ts';
export { type MysqlConnection, mysqlTransaction } from './mysql-executor.ts';
export {
  completeEvent,
  type EventDefaults,
  type EventRefusal,
  type OutboxEvent,
  type OutboxEventInit,
  refuseEvent,
  type TraceContext,
  topicOf,
} from './outbox-event.ts';
export {
  type EventCheck,
  OutboxRepository,
  type OutboxRepositoryOptions,
  type OutboxTransaction,
} from './outbox-repository.ts';
export { OUTBOX_TABLE, outboxTableSql } from './outbox-table.ts';
export type { RegistryFormatterOptions } from './registry/registry-options.ts';
export {
  type RegisteredSchema,
  type SchemaKind,
  SchemaRegistry,
  type SchemaRegistryOptions,
} from './registry/schema-registry.ts';
export type { SqlDialect, SqlExecutor, SqlParameter, SyncSqlExecutor } from './sql-executor.ts';
export { type SqliteConnection, sqliteTransaction } from './sqlite-executor.ts';
export {
  recordBytes,
  sizeCheck,
  type TopicCheckOptions,
  type TopicLimits,
  type TopicLookup,
  topicCheck,
} from './topic-check.ts';
export { type TransactOutboxOptions, transactOutbox } from './transact-outbox.ts';
