/** Puts the parsed values into the groups that applications read. Decides nothing but the delivery mode. */
import { nameInId } from '#runtime';
import { isAcksAll } from './check-contradictions.ts';
import type { Config, KafkaConfig, RedisSslConfig, SaslConfig, SourceConfig, SslConfig } from './config.ts';
import type { Values } from './settings.ts';
import { SQLITE_SCHEME } from './settings-database.ts';

/** What was put together from more than one setting. */
export interface ConfigParts {
  readonly dbPasswordFile: string | null;
  readonly dbSsl: SslConfig | null;
  readonly kafkaSsl: SslConfig | null;
  readonly redisSsl: RedisSslConfig | null;
  readonly sasl: SaslConfig | null;
  readonly sources: readonly SourceConfig[];
}

export function buildConfig(values: Values, parts: ConfigParts): Config {
  const kafka = buildKafka(values, parts);
  return {
    sqlite: values.DB === null ? null : { path: values.DB.slice(SQLITE_SCHEME.length) },
    db: {
      host: values.DB_HOST,
      port: values.DB_PORT,
      socketPath: values.DB_SOCKET,
      user: values.DB_USER ?? '',
      password: values.DB_PASSWORD ?? '',
      passwordFile: parts.dbPasswordFile,
      database: values.DB_NAME ?? '',
      connectTimeoutMs: values.DB_CONNECT_TIMEOUT,
      readTimeoutMs: values.DB_READ_TIMEOUT,
      ssl: parts.dbSsl,
    },
    redis: {
      url: values.REDIS_URL,
      prefix: values.REDIS_PREFIX,
      login: { username: values.REDIS_USERNAME, password: values.REDIS_PASSWORD },
      sentinelLogin: { username: values.REDIS_SENTINEL_USERNAME, password: values.REDIS_SENTINEL_PASSWORD },
      ssl: parts.redisSsl,
    },
    kafka,
    sources: parts.sources,
    tables: {
      outbox: values.OUTBOX_TABLE,
      watermark: values.WATERMARK_TABLE,
      lane: values.LANE_TABLE,
      member: values.MEMBER_TABLE,
      deadLetter: values.DEAD_LETTER_TABLE,
      topic: values.TOPIC_TABLE,
      gap: values.GAP_TABLE,
      sourceFacts: values.SOURCE_FACTS_TABLE,
    },
    writer: {
      batchRowsMax: values.OUTBOX_WRITER_BATCH_SIZE,
      batchBytesMax: values.WRITER_BATCH_BYTES,
      pollIntervalMs: values.OUTBOX_WRITER_POLL_INTERVAL,
      lockTtlMs: values.WRITER_LOCK_TTL,
    },
    sender: {
      batchRowsMax: values.KAFKA_SENDER_BATCH_SIZE,
      batchBytesMax: values.SENDER_BATCH_BYTES,
      pollIntervalMs: values.KAFKA_SENDER_POLL_INTERVAL,
      laneLeaseMs: values.LANE_LEASE,
      retryBackoff: { baseMs: values.KAFKA_RETRY_BACKOFF_BASE, maxMs: values.KAFKA_RETRY_BACKOFF_MAX },
      retriesMax: values.KAFKA_MAX_RETRIES,
      rowFaultPolicy: values.ROW_FAULT_POLICY,
      oversize: values.OVERSIZE,
      deadLetterRetentionMs: values.DEAD_LETTER_RETENTION,
    },
    http: { host: values.HTTP_HOST, port: values.HTTP_PORT },
    stallMs: values.STALL_AFTER_SECONDS,
    notify: { webhookUrl: values.NOTIFY_WEBHOOK_URL, afterRetries: values.NOTIFY_AFTER_RETRIES },
    logLevel: values.LOG_LEVEL,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT,
    instanceId: values.INSTANCE_ID,
    deliveryMode: kafka.acks === -1 && kafka.idempotence ? 'exactly-once' : 'at-least-once',
  };
}

const ACKS = { all: -1, '-1': -1, '1': 1, '0': 0 } as const;

function buildKafka(values: Values, parts: ConfigParts): KafkaConfig {
  const prefix = values.KAFKA_TRANSACTIONAL_ID_PREFIX;
  const markerName = nameInId(values.OUTBOX_TABLE);
  return {
    bootstrapServers: values.KAFKA_BOOTSTRAP_SERVERS,
    clientId: values.KAFKA_CLIENT_ID,
    acks: ACKS[values.KAFKA_ACKS],
    // Kafka has no idempotence with weaker acks; asking for both explicitly was refused before.
    idempotence: values.KAFKA_ENABLE_IDEMPOTENCE && isAcksAll(values.KAFKA_ACKS),
    compression: values.KAFKA_COMPRESSION,
    partitioner: values.KAFKA_PARTITIONER,
    ssl: parts.kafkaSsl,
    sasl: parts.sasl,
    transactionalIdPrefix: prefix,
    transactionTimeoutMs: values.KAFKA_TRANSACTION_TIMEOUT,
    markerName,
    markerGroup: `${prefix}.${markerName}`,
    markerTopic: `${prefix}.markers`,
  };
}
