/** For tests only: servers of their own, fakes of the ports, contract suites that run on the fake and on the real thing. */

export { askRedis } from './ask-redis.ts';
export { CertificateFolder, type CertificateOptions } from './certificate-folder.ts';
export { type DoorbellHarness, doorbellContract } from './contracts/doorbell.ts';
export { type ElectionHarness, electionContract } from './contracts/election.ts';
export { type InboxHarness, inboxKillContract } from './contracts/inbox-kill.ts';
export {
  type KafkaHarness,
  type KafkaWorld,
  kafkaContract,
  type SeenRecord,
} from './contracts/kafka-contract.ts';
export { sourceContract } from './contracts/source-contract.ts';
export { isListed } from './contracts/source-contract-gaps.ts';
export type {
  ContractRow,
  SourceHarness,
  SourceTransaction,
  SourceWorld,
  WaitingTransaction,
} from './contracts/source-world.ts';
export { storeContract } from './contracts/store-contract.ts';
export type { StoreHarness, StoreSide, StoreWorld } from './contracts/store-contract-world.ts';
export { createTestDatabase, type TestDatabase } from './create-test-database.ts';
export { createTestTopic, type TestTopic, type TestTopicOptions } from './create-test-topic.ts';
export { createDeployment, type Deployment, type DeploymentOptions, type DeploymentServers } from './deployment.ts';
export { ensureBinaries, ensureLibrary } from './ensure-binary.ts';
export { createFakeDoorbells, type FakeDoorbells, type FakeDoorbellsOptions } from './fakes/doorbell.ts';
export {
  createFakeElections,
  type FakeCandidate,
  type FakeElections,
  type FakeElectionsOptions,
} from './fakes/election.ts';
export type { CallGate } from './fakes/gated-call.ts';
export { FakeKafka } from './fakes/kafka.ts';
export type { FakeKafkaPort, FakePortOptions, KafkaGate } from './fakes/kafka-port.ts';
export type { FakeKafkaOptions } from './fakes/kafka-topics.ts';
export { FakeSourceReader, type FakeSourceReaderOptions } from './fakes/source.ts';
export { type FakeSourceRow, FakeSourceTable, FakeSourceTransaction } from './fakes/source-table.ts';
export { createFakeStore, type FakeStore } from './fakes/store.ts';
export type { FakeStoreOptions } from './fakes/store-options.ts';
export {
  type FakeAside,
  type FakeLane,
  type FakeMember,
  FakeOutboxTables,
  type StoreWatch,
  type StoreWeakness,
} from './fakes/store-tables.ts';
export type { FakeRecord } from './fakes/topic-logs.ts';
export { freePort, freePortNear } from './free-port.ts';
export { givenServers } from './given-servers.ts';
export { interruption } from './interruption.ts';
export { testKafka } from './kafka-client.ts';
export { KAFKA_VERSION } from './kafka-jars.ts';
export { failOnLeaks } from './leak-check.ts';
export { BookCheck, type BookResult, readRowlessRecord } from './load/check-book.ts';
export { assertLedgerDelivered, LedgerCheck, type LedgerResult } from './load/check-ledger.ts';
export { hotColumnSql } from './load/hot-rows.ts';
export { Ledger } from './load/ledger.ts';
export type { LoadProgress } from './load/load-connection.ts';
export { LoadHistory, sampleToken } from './load/load-history.ts';
export type { LoadRow, LoadSupply, LoadTarget } from './load/load-supply.ts';
export { ROWLESS_DANGEROUS, ROWLESS_KINDS, type RowlessKind, type RowlessMix } from './load/plan-rowless.ts';
export { type LoadMix, USUAL_MIX } from './load/plan-transaction.ts';
export { DANGER_MS, type RowlessProgress } from './load/rowless-connection.ts';
export { type RowlessLoad, type RowlessLoadOptions, startRowlessLoad } from './load/rowless-load.ts';
export { ROWLESS_KEY, ROWLESS_TABLE, ROWLESS_WATERMARK, rowlessTables } from './load/rowless-table.ts';
export {
  readSampleRow,
  SAMPLE_COLUMNS,
  SAMPLE_FREE,
  SAMPLE_KEY,
  SAMPLE_SEQUENCE,
  SAMPLE_WATERMARK,
  type SampleOptions,
  sampleSupplies,
  sampleTableSql,
} from './load/sample-rows.ts';
export { type Load, type LoadOptions, startLoad } from './load/start-load.ts';
export { TransactionBook } from './load/transaction-book.ts';
export { type HistoryRecord, type HistoryTransaction, HistoryWriter } from './load/write-history.ts';
export { numbersSql } from './numbers-sql.ts';
export { assertContiguousIds, assertNoDuplicates, assertOrderPerKey } from './oracles.ts';
export {
  OUTBOX_LIBRARIES,
  type OutboxLibrary,
  type OutboxLibraryName,
  openOutboxLibrary,
  openPrisma,
  type PrismaLike,
} from './outbox-libraries.ts';
export { type OwnRedis, startOwnRedis } from './own-redis.ts';
export { type ReadTopicOptions, readTopic, type TopicRecord } from './read-topic.ts';
export { seededRandom, testSeed } from './seeded-random.ts';
export type { ServerControl } from './server-process.ts';
export { setClientQuota } from './set-client-quota.ts';
export { reportFailure } from './simulation/report-failure.ts';
export { type RangeDone, runSeeds } from './simulation/run-seeds.ts';
export { type App, type AppExit, type LogLine, type SpawnAppOptions, spawnApp } from './spawn-app.ts';
export { type ConnectOptions, type ConnectServer, DEBEZIUM_VERSION, startConnect } from './start-connect.ts';
export { type KafkaOptions, type KafkaServer, startKafka } from './start-kafka.ts';
export { type MariadbOptions, type MariadbServer, startMariadb } from './start-mariadb.ts';
export { type FaultProxy, type ProxyOptions, type ProxyTarget, type RequestMatch, startProxy } from './start-proxy.ts';
export { type RedisOptions, type RedisServer, startRedis } from './start-redis.ts';
export { type RedisCluster, startRedisCluster } from './start-redis-cluster.ts';
export { type RegistryServer, startRegistry } from './start-registry.ts';
export { type RenamingProxy, type ServerNames, startRenamingProxy } from './start-renaming-proxy.ts';
export { type Sentinel, type SentinelOptions, startSentinel } from './start-sentinel.ts';
export { type Stack, type StackOptions, startStack } from './start-stack.ts';
export { testDatabaseOptions } from './test-database-options.ts';
export { type DatabaseAddress, type TestEnvironment, testEnvironment } from './test-environment.ts';
export { testSender } from './test-sender.ts';
export { testTables } from './test-tables.ts';
export { ChangingTopics, handledAll, numbered, type TopicScene } from './topic-scene.ts';
export { uniqueName } from './unique-name.ts';
export { until } from './until.ts';
