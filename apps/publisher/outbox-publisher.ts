/** `OutboxPublisher`: publishes an application's outbox table from within the application. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, ENV_PREFIX, loadConfig } from '#config';
import { type Pool, quoteIdentifier } from '#database';
import { createCommitHints } from '#doorbell';
import { createKafkaPort } from '#kafka-delivery';
import type { Doorbell, LeaderElection, SenderEvent, WriterEvent } from '#outbox';
import { createSenderStore } from '#outbox-storage';
import { asRelayError, type Logger, RelayError, silentLogger, systemClock } from '#runtime';
import { runSender } from '../sender/run-sender.ts';
import { openDoorbell, openElection } from '../wiring/open-coordination.ts';
import { openDatabase } from '../wiring/open-database.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { poolOperator } from '../wiring/operator.ts';
import { type Served, serve } from '../wiring/serve.ts';
import type { Service } from '../wiring/service.ts';
import { runWriter } from '../writer/run-writer.ts';
import { publishOnce } from './publish-once.ts';
import { faultOf, type PublisherFault, type PublisherMetrics } from './publisher-events.ts';
import { checkHealth, type PublisherHealth } from './publisher-health.ts';

export interface OutboxPublisherOptions {
  /** The relay's settings, with or without their prefix: `{ DB_USER: .., SOURCE_TABLE: 'outboxevent' }`. SOURCE_MODE is `consume`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly logger?: Logger;
  /** Told of every fault; those with verdict `retry` are tried again by themselves. */
  readonly errorHandler?: (fault: PublisherFault) => void;
  readonly metrics?: PublisherMetrics;
  /** How long `publishBatch` waits for Kafka. Default 60,000. */
  readonly deliveryDeadlineMs?: number;
  /** Health is degraded with more rows waiting. Default 10,000. */
  readonly lagRowsMax?: number;
  /** Health is degraded when the oldest row moved waits for longer. Default 60,000. */
  readonly lagAgeMsMax?: number;
}

interface Running {
  readonly service: Service;
  readonly pool: Pool;
  readonly doorbell: Doorbell;
  readonly election: LeaderElection;
  readonly kafka: ReturnType<typeof createKafkaPort>;
  readonly served: Served;
  readonly sender: Promise<void>;
}

const LIMIT_MAX = 10_000;

export class OutboxPublisher {
  readonly #options: OutboxPublisherOptions;
  readonly #config: Config;
  readonly #stopping = new AbortController();
  readonly #known = new Map<string, { nextSequence: number }>();
  #running: Promise<Running> | null = null;
  #scheduled: Promise<void> | null = null;
  #batch: Promise<unknown> = Promise.resolve();
  readonly #hints = createCommitHints({ ring: () => this.ring() });

  /** Throws CONFIG_INVALID, all that is wrong in one message. */
  constructor(options: OutboxPublisherOptions) {
    this.#options = options;
    const named = Object.entries({ SOURCE_MODE: 'consume', ...options.settings });
    const env = Object.fromEntries(
      named.map(([name, value]) => [name.startsWith(ENV_PREFIX) ? name : `${ENV_PREFIX}${name}`, value]),
    );
    this.#config = loadConfig({ env }).config;
    if (this.#config.deliveryMode !== 'exactly-once') {
      throw new RelayError('CONFIG_INVALID', 'an OutboxPublisher needs KAFKA_ACKS=all and idempotence');
    }
  }

  /**
   * Publishes at most `limit` events of each source and resolves to their number, once Kafka has them. One call at a time;
   * the next one waits. 0: there are none, or another process publishes the source. Rejects with RelayError; nothing is
   * lost then, and events that were moved already are delivered all the same.
   */
  publishBatch(limit = 100): Promise<number> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
      return Promise.reject(new RelayError('CONFIG_INVALID', `limit is a whole number from 1 to ${LIMIT_MAX}`));
    }
    if (this.#scheduled !== null && !this.#stopping.signal.aborted) {
      return Promise.reject(
        new RelayError('CONFIG_INVALID', 'publishing is scheduled: there is no batch left to publish'),
      );
    }
    const batch = this.#batch.then(() => this.#publishBatch(limit));
    this.#batch = batch.catch(() => undefined);
    return batch;
  }

  /** Publishes from now on, as events come. Resolves when `stop` has ended it, rejects with a fault that trying again does not mend. */
  schedulePublishing(): Promise<void> {
    this.#scheduled ??= this.#publishForever();
    return this.#scheduled;
  }

  /** Database, broker and lag. Never rejects for a server that is away. */
  async checkHealth(): Promise<PublisherHealth> {
    const { lagRowsMax = 10_000, lagAgeMsMax = 60_000 } = this.#options;
    try {
      const { pool } = await this.#start();
      return await checkHealth(this.#config, pool, { lagRowsMax, lagAgeMsMax });
    } catch (thrown) {
      const check = { status: 'unhealthy', says: asRelayError(thrown).message } as const;
      return { status: 'unhealthy', checks: { database: check, broker: check, lag: check } };
    }
  }

  /** Events that are in the table or in the lanes; among them, for a moment, some that Kafka has already. */
  async countUnpublished(): Promise<number> {
    const { pool } = await this.#start();
    const tables = [...new Set(this.#config.sources.map(({ table }) => table)), this.#config.tables.outbox];
    const counts = tables.map((table) => `(SELECT COUNT(*) FROM ${quoteIdentifier(table)})`);
    const [row] = await pool.query<{ n: string | number }>(`SELECT ${counts.join(' + ')} AS n`);
    return Number(row?.n ?? 0);
  }

  /** Events were committed: scheduled publishing looks at once, here and, with Redis, in other processes. Never throws, never waits. */
  ring(): void {
    const { sources } = this.#config;
    const rung = this.#running?.then(({ doorbell }) => {
      for (const { name } of sources) doorbell.ring({ kind: 'source-rows', source: name });
    });
    // Not connected yet: there is nobody to tell.
    rung?.catch(() => undefined);
  }

  /** Events may be committed soon: what an OutboxRepository with this publisher as its `doorbell` calls. Never throws, never waits. */
  ringSoon(): void {
    this.#hints.ringSoon();
  }

  /** Gives lanes and lock back. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#hints.close();
    const running = await this.#running?.catch(() => null);
    if (!running) return;
    this.#running = null;
    await Promise.allSettled([this.#batch, this.#scheduled, running.sender]);
    await running.served.close();
    await running.kafka.close();
    await running.election.close();
    await running.doorbell.close();
    await running.pool.close();
  }

  async #publishBatch(limit: number): Promise<number> {
    const { metrics, deliveryDeadlineMs = 60_000 } = this.#options;
    const { service, pool, doorbell, election, kafka } = await this.#start();
    metrics?.batchStarted?.(limit);
    let published = 0;
    for (const source of this.#config.sources) {
      const known = this.#known.get(source.name) ?? { nextSequence: 0 };
      this.#known.set(source.name, known);
      const parts = { pool, doorbell, election, onEvent: (event: WriterEvent) => this.#tell(event) };
      const options = { service, parts, kafka, clock: systemClock, deliveryDeadlineMs, known };
      published += await publishOnce(options, source, limit);
    }
    if (published === 0) metrics?.noEvents?.();
    metrics?.batchComplete?.(published);
    return published;
  }

  async #publishForever(): Promise<void> {
    await this.#batch;
    const { service, pool, doorbell, election, served, sender } = await this.#start();
    const onEvent = (event: WriterEvent) => {
      served.onWriterEvent(event);
      this.#tell(event);
    };
    const failed = new AbortController();
    const signal = AbortSignal.any([service.signal, failed.signal]);
    const writer = runWriter({ ...service, signal }, { pool, doorbell, election, ...served.forWriter, onEvent });
    // A sender that ends by a fault takes the writer with it: events would pile up in the lanes.
    sender.catch(() => failed.abort());
    await Promise.all([writer, sender]);
  }

  /** Connects once; tried again by the next call when it failed. */
  #start(): Promise<Running> {
    if (this.#stopping.signal.aborted) return Promise.reject(new RelayError('STOPPED', 'the publisher was stopped'));
    this.#running ??= this.#open().catch((thrown: unknown) => {
      this.#running = null;
      throw thrown;
    });
    return this.#running;
  }

  async #open(): Promise<Running> {
    const config = this.#config;
    const logger = this.#options.logger ?? silentLogger;
    const { signal } = this.#stopping;
    const instanceId = config.instanceId ?? `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    const service: Service = { config, logger, instanceId, signal };
    const pool = await openDatabase(config, 'publisher', logger, signal);
    const doorbell = openDoorbell(config, logger);
    const kafka = createKafkaPort(kafkaOptions(config, logger));
    const served = await serve(service, poolOperator(pool, config), { writer: true, sender: true });
    const election = openElection(config, doorbell, logger, served.onWriterEvent);
    const store = createSenderStore({ pool, tables: config.tables });
    const onEvent = (event: SenderEvent) => {
      served.onSenderEvent(event);
      this.#tell(event);
    };
    const sender = runSender(service, { store, doorbell, kafka, ...served.forSender, onEvent });
    // Told by `schedulePublishing`; to `publishBatch` it shows as a batch that Kafka does not get.
    sender.catch(() => undefined);
    return { service, pool, doorbell, election, kafka, served, sender };
  }

  #tell(event: WriterEvent | SenderEvent): void {
    const { errorHandler, metrics } = this.#options;
    if (event.kind === 'moved') metrics?.moved?.(event.rows);
    if (event.kind === 'delivered') metrics?.delivered?.(event.rows, event.bytes, event.transactionMs);
    const fault = faultOf(event);
    if (fault !== null) errorHandler?.(fault);
  }
}
