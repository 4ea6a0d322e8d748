/** The typed configuration: what applications read. Deep-frozen. Durations are whole milliseconds. */

import type { Command } from './split-command.ts';

/** PEM texts as they were in their files at the start; null where unset. `freshSsl` reads them anew. */
export interface SslConfig {
  /** Null means the system's authorities. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** Of the key; null for one that is not encrypted. */
  readonly passphrase: string | null;
  /** True: check the certificate and the host name. */
  readonly verify: boolean;
  /** Where each came from; null for what is in the setting itself. */
  readonly files: Readonly<Record<'ca' | 'cert' | 'key' | 'passphrase', string | null>>;
}

/** Certificates of Redis, and the files that they came from, for whoever reads them anew at each connection; null: given as text. */
export interface RedisSslConfig extends Omit<SslConfig, 'passphrase' | 'files'> {
  readonly files: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
}

export interface LoginConfig {
  readonly username: string | null;
  readonly password: string | null;
}

export interface RedisConfig {
  /** Null: there is no Redis. */
  readonly url: string | null;
  readonly prefix: string;
  /** Null where not set: what the address says counts then. */
  readonly login: LoginConfig;
  readonly sentinelLogin: LoginConfig;
  /** Null means not encrypted. */
  readonly ssl: RedisSslConfig | null;
}

export type OauthTokenConfig =
  | { readonly kind: 'command'; readonly command: Command }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly clientId: string;
      readonly clientSecret: string;
      /** Null: in the setting itself. */
      readonly clientSecretFile: string | null;
      readonly scope: string | null;
    };

export type SaslConfig =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: string;
      /** Null: in the setting itself. */
      readonly passwordFile: string | null;
    }
  | {
      readonly mechanism: 'OAUTHBEARER';
      readonly token: OauthTokenConfig;
      /** Sent beside the token. */
      readonly extensions: Readonly<Record<string, string>>;
    };

/** Weaker Kafka settings than acks=all with idempotence are an honest at-least-once mode. */
export type DeliveryMode = 'exactly-once' | 'at-least-once';
export type SourceMode = 'append' | 'consume';
export type Oversize = 'dead-letter' | 'chunk';
export type RowFaultPolicy = 'dead-letter' | 'park-key' | 'halt';

/** A column that need not be there, unless the settings name it. */
export interface OptionalColumn {
  readonly column: string;
  readonly required: boolean;
}

/** Mode `consume`: which columns of the application's outbox table make the record. */
export interface EventConfig {
  readonly idColumn: string;
  readonly routeColumn: string;
  readonly payloadColumn: string;
  readonly tracingColumn: OptionalColumn;
  readonly headersColumn: OptionalColumn;
  /** The record's key where it is not NULL. */
  readonly recordKeyColumn: OptionalColumn;
  readonly topicColumn: OptionalColumn;
  readonly headerColumns: readonly { readonly column: string; readonly header: string }[];
  /** Topic without the value of the route column. */
  readonly topicPrefix: string;
  /** Null: rows moved are deleted. */
  readonly archive: { readonly table: string; readonly retentionMs: number } | null;
}

export interface SourceConfig {
  readonly name: string;
  readonly table: string;
  readonly watermarkColumn: string;
  /** Null means all columns. */
  readonly columns: readonly string[] | null;
  readonly mode: SourceMode;
  /** Null in mode `append`. */
  readonly event: EventConfig | null;
  /** The topic, or the fallback where the topic column is NULL; at least one of the two is set in mode `append`. */
  readonly topic: string | null;
  readonly topicColumn: string | null;
  readonly keyColumn: string | null;
  readonly lanes: number;
  /** A bigint is the first id to move. */
  readonly startFrom: 'earliest' | 'latest' | bigint;
  readonly gapMode: 'auto' | 'transactions' | 'locks' | 'time';
  /** Null means the default of the gap mode in force: see `gapGraceMs`. */
  readonly gapGraceMs: number | null;
}

export interface DatabaseConfig {
  readonly host: string;
  readonly port: number;
  /** A unix socket instead of host and port; null means TCP. */
  readonly socketPath: string | null;
  /** Empty only when the command did not say that it needs the database. */
  readonly user: string;
  readonly password: string;
  /** Null: in the setting itself. `freshSecret` reads it anew. */
  readonly passwordFile: string | null;
  /** Empty only when the command did not say that it needs the database. */
  readonly database: string;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** Null means not encrypted. */
  readonly ssl: SslConfig | null;
}

export interface KafkaConfig {
  readonly bootstrapServers: readonly string[];
  readonly clientId: string;
  readonly acks: -1 | 0 | 1;
  readonly idempotence: boolean;
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  readonly partitioner: 'java' | 'librdkafka';
  /** Null means not encrypted. */
  readonly ssl: SslConfig | null;
  /** Null means without a login. */
  readonly sasl: SaslConfig | null;
  readonly transactionalIdPrefix: string;
  readonly transactionTimeoutMs: number;
  /** The marker group's name behind the prefix: the outbox table's as part of an id, followed by the file's id for an SQLite file. */
  readonly markerName: string;
  /** `<prefix>.<markerName>`. */
  readonly markerGroup: string;
  /** `<prefix>.markers`. */
  readonly markerTopic: string;
}

export interface TablesConfig {
  readonly outbox: string;
  readonly watermark: string;
  readonly lane: string;
  readonly member: string;
  readonly deadLetter: string;
  readonly topic: string;
  readonly gap: string;
  readonly sourceFacts: string;
}

export interface WriterConfig {
  readonly batchRowsMax: number;
  readonly batchBytesMax: number;
  readonly pollIntervalMs: number;
  readonly lockTtlMs: number;
}

export interface SenderConfig {
  readonly batchRowsMax: number;
  readonly batchBytesMax: number;
  readonly pollIntervalMs: number;
  readonly laneLeaseMs: number;
  readonly retryBackoff: { readonly baseMs: number; readonly maxMs: number };
  readonly retriesMax: number;
  readonly rowFaultPolicy: RowFaultPolicy;
  readonly oversize: Oversize;
  /** Null keeps dead letters for ever. */
  readonly deadLetterRetentionMs: number | null;
}

export interface Config {
  /** A file instead of the server of `db`; null means the server. */
  readonly sqlite: { readonly path: string } | null;
  readonly db: DatabaseConfig;
  readonly redis: RedisConfig;
  readonly kafka: KafkaConfig;
  readonly sources: readonly SourceConfig[];
  readonly tables: TablesConfig;
  readonly writer: WriterConfig;
  readonly sender: SenderConfig;
  readonly http: { readonly host: string; readonly port: number | null };
  /** Rows that wait for so long without one that moved are a stall. */
  readonly stallMs: number;
  readonly notify: { readonly webhookUrl: string | null; readonly afterRetries: number };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly shutdownTimeoutMs: number;
  /** Null means that the process generates one. */
  readonly instanceId: string | null;
  readonly deliveryMode: DeliveryMode;
}
