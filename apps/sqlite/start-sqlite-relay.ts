/** The relay inside an application: the same as `run --db sqlite:FILE`, started and stopped by a call. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { loadConfig } from '#config';
import type { Notification } from '#notification';
import type { SenderEvent, WriterEvent } from '#outbox';
import { asRelayError, createLogger, type Logger, type LogLevel, RelayError } from '#runtime';
import { reachKafka } from '../cli/connect.ts';
import { readStatus, type Status } from '../wiring/read-status.ts';
import type { Standby } from './open-relay-file.ts';
import { type OpenRelay, runRelay } from './run-relay.ts';
import { sqliteOperator } from './sqlite-operator.ts';
import { tablesOfFile } from './tables-of-file.ts';

/** A table of the file whose rows go to Kafka. */
export interface SqliteSource {
  readonly table: string;
  /** `consume`, the default: an outbox table whose rows are deleted as they are moved. `append`: rows stay. */
  readonly mode?: 'consume' | 'append';
  /** Not needed in mode `consume` where rows name it: a column `topic`, or `aggregatetype`, which gives `outbox.event.<aggregatetype>`. */
  readonly topic?: string;
  readonly topicColumn?: string;
  /** Default of mode `consume`: a column `recordkey` or `aggregateid`. Rows of one key arrive in order. */
  readonly keyColumn?: string;
  /** Mode `append` only: INTEGER PRIMARY KEY AUTOINCREMENT. */
  readonly watermarkColumn?: string;
  readonly columns?: readonly string[];
  /** Mode `consume`: columns that become headers, `column` or `column:header`. */
  readonly eventHeaders?: readonly string[];
  /** Mode `consume`: columns with other names, `payload=body`; roles id, route, payload, tracing, headers and recordkey. */
  readonly eventColumns?: readonly string[];
  /** Default: the table's. Header `source` of the records. */
  readonly name?: string;
  readonly lanes?: number;
}

export interface SqliteRelayOptions {
  /** Path of the database, which must be there. */
  readonly file: string;
  readonly sources: readonly SqliteSource[];
  /** `host:port`, several separated by commas. */
  readonly kafka: string;
  /** Any other setting by its name without the prefix, as in the environment: `{ KAFKA_MAX_RETRIES: '3' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** When another relay has the file: reject with CONFIG_INVALID (default), or wait until it is gone. */
  readonly standby?: Standby;
  /** Is told when the relay needs somebody: a row given up, a lane halted, a fault that lasts, and its end. */
  readonly onNotification?: (notification: Notification) => void | Promise<void>;
  /** Everything that happens, for metrics of your own. Must not throw. */
  readonly onEvent?: (event: WriterEvent | SenderEvent) => void;
  /** Default: JSON lines on standard output from level `warn` on (setting LOG_LEVEL). */
  readonly logger?: Logger;
  /** Ends the waiting for the file, and the relay. */
  readonly signal?: AbortSignal;
}

export interface SqliteRelay {
  /** Says that something was committed. A hint that saves milliseconds: commits are noticed without it. */
  ring(): void;
  /** As `kafka-row-sender status --json`. */
  status(): Promise<Status>;
  /** Gives the lanes back and closes the file. What is under way is finished first. */
  stop(): Promise<void>;
  /** Settles when the relay has ended: rejects when a fatal fault ended it. */
  readonly done: Promise<void>;
}

/**
 * Resolves once the relay has the file. Rejects with CONFIG_INVALID for wrong options or a file that another relay has,
 * DB_UNREACHABLE without a file. Kafka need not be there: rows wait for it in the file.
 */
export async function startSqliteRelay(options: SqliteRelayOptions): Promise<SqliteRelay> {
  const { config } = loadConfig({
    env: Object.fromEntries(
      Object.entries({ LOG_LEVEL: 'warn', ...options.settings }).map(([name, value]) => [
        `KAFKA_ROW_SENDER_${name}`,
        value,
      ]),
    ),
    overrides: { DB: `sqlite:${options.file}`, KAFKA_BOOTSTRAP_SERVERS: options.kafka },
    sources: options.sources.map(sourceEntry),
  });
  const instanceId = config.instanceId ?? `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const logger =
    options.logger ??
    createLogger({ level: config.logLevel as LogLevel, process: 'sqlite-relay', instance: instanceId });
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, ...(options.signal ? [options.signal] : [])]);
  const opened = Promise.withResolvers<OpenRelay>();
  const done = runRelay(
    { config, logger, instanceId, signal },
    {
      standby: options.standby ?? 'refuse',
      startupWaitMs: 0,
      ...(options.onEvent ? { onEvent: options.onEvent } : {}),
      onNotification: options.onNotification,
      onOpen: opened.resolve,
    },
  );
  done.then(
    () => opened.reject(new RelayError('STOPPED', 'the relay was stopped before it had the file')),
    (thrown: unknown) => opened.reject(asRelayError(thrown)),
  );
  const relay = await opened.promise;
  return {
    done,
    ring: relay.ring,
    status: async () => {
      const operator = await sqliteOperator(relay.file, config);
      const kafka = () => reachKafka(operator.kafkaConfig);
      const lookAtTable = tablesOfFile(relay.file);
      return readStatus({ config, operator, lookAtTable, kafka, redis: async () => undefined });
    },
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

/** The fields as the YAML file has them, which is what checks them. */
function sourceEntry(source: SqliteSource): Readonly<Record<string, unknown>> {
  const { topicColumn, keyColumn, watermarkColumn, eventHeaders, eventColumns, mode = 'consume', ...rest } = source;
  const entry = {
    ...rest,
    mode,
    topic_column: topicColumn,
    key_column: keyColumn,
    watermark_column: watermarkColumn,
    event_headers: eventHeaders,
    event_columns: eventColumns,
  };
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}
