/**
 * `config check`: tries what the settings name, one line each, `ok` or what is wrong. Each server has its own deadline, and
 * one that is away does not keep the others from being tried.
 */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import { connectKafka, createTopicAdmin, type KafkaConnection, preflight } from '#kafka-delivery';
import type { WatermarkState } from '#outbox';
import { checkSchema, createSenderStore } from '#outbox-storage';
import type { RedisTrial } from '#redis';
import { addressText, asRelayError, EXIT, type ExitCode, RelayError, showRedisAddress, silentLogger } from '#runtime';
import { sqliteOperator } from '../sqlite/sqlite-operator.ts';
import { tablesOfFile } from '../sqlite/tables-of-file.ts';
import { betterMode, promiseFor } from '../wiring/gap-mode-promise.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { mendRefusal, probeRedis, sayRefusal } from '../wiring/probe-redis.ts';
import { redisTarget } from '../wiring/redis-target.ts';
import { fixedTopics } from '../wiring/source-topics.ts';
import { trySource } from '../wiring/try-source.ts';
import { tryTransaction } from '../wiring/try-transaction.ts';
import type { Cli } from './cli.ts';
import { withDatabase, withSqliteFile } from './connect.ts';
import { lanesNeeded } from './init.ts';
import { pingRedis } from './ping-redis.ts';

const OFFSETS_RETENTION_MINUTES_MIN = 2 * 24 * 60;

/** Says what was tried and how it ended; remembers the worst exit code: bad configuration before unreachable. */
class Findings {
  readonly #cli: Cli;
  #failed: readonly ExitCode[] = [];

  constructor(cli: Cli) {
    this.#cli = cli;
  }

  /** Runs `attempt`, which resolves to what to say after `ok`; null when it failed. */
  async try<T>(what: string, attempt: () => Promise<{ readonly says: string; readonly value: T }>): Promise<T | null> {
    try {
      const { says, value } = await attempt();
      this.ok(what, says);
      return value;
    } catch (thrown) {
      this.fail(what, asRelayError(thrown));
      return null;
    }
  }

  ok(what: string, says: string): void {
    this.#cli.print(`ok      ${what}${says === '' ? '' : `: ${says}`}`);
  }

  warn(what: string, why: string): void {
    this.#cli.print(`warning ${what}: ${why}`);
  }

  fail(what: string, error: RelayError): void {
    this.#cli.print(`FAILED  ${what}: ${error.message}`);
    this.#failed = [...this.#failed, error.exitCode === EXIT.usage ? EXIT.usage : EXIT.unreachable];
  }

  exitCode(): ExitCode {
    if (this.#failed.length === 0) return EXIT.done;
    return this.#failed.includes(EXIT.usage) ? EXIT.usage : EXIT.unreachable;
  }
}

export async function checkConfig(cli: Cli): Promise<ExitCode> {
  const { config, warnings } = cli.load();
  const findings = new Findings(cli);
  findings.ok('settings', `${config.sources.length} source${config.sources.length === 1 ? '' : 's'}`);
  for (const warning of warnings) findings.warn('settings', warning);
  const lanes = await checkDatabase(config, findings);
  await checkKafka(config, findings, lanes);
  await checkRedis(config, findings);
  return findings.exitCode();
}

/** Resolves to the lanes needed, or null when that could not be found out. */
async function checkDatabase(config: Config, findings: Findings): Promise<number | null> {
  if (config.sqlite !== null) return checkFile(config, config.sqlite.path, findings);
  const { db } = config;
  const what = `database ${addressText(db.host, db.port)}/${db.database}`;
  try {
    return await withDatabase(config, async (pool) => {
      const engine = await pool.engine();
      findings.ok(what, engine.name);
      const lanes = await checkTables(config, pool, findings);
      for (const source of config.sources) await checkSource(pool, source, findings);
      return lanes;
    });
  } catch (thrown) {
    findings.fail(what, asRelayError(thrown));
    return null;
  }
}

async function checkFile(config: Config, path: string, findings: Findings): Promise<number | null> {
  try {
    return await withSqliteFile(config, async (file) => {
      findings.ok(`SQLite file ${path}`, file.path);
      let watermarks: ReadonlyMap<string, WatermarkState> | null = null;
      const lanes = await findings.try('tables', async () => {
        const operator = await sqliteOperator(file, config);
        watermarks = new Map((await operator.listWatermarks()).map((one) => [one.source, one]));
        return { says: await operator.describe(), value: await operator.listLanes() };
      });
      for (const source of config.sources) {
        await findings.try(`source ${source.name}`, async () => {
          const { problem, highest } = await tablesOfFile(file)(source, watermarks?.get(source.name) ?? null);
          if (problem !== null) throw new RelayError('CONFIG_INVALID', problem);
          return {
            says: `table ${source.table}, mode ${source.mode}, highest position ${highest ?? 'none'}`,
            value: null,
          };
        });
      }
      return lanes === null ? null : lanesNeeded(config, lanes);
    });
  } catch (thrown) {
    findings.fail(`SQLite file ${path}`, asRelayError(thrown));
    return null;
  }
}

async function checkTables(config: Config, pool: Pool, findings: Findings): Promise<number | null> {
  return findings.try('tables', async () => {
    await checkSchema(pool, config.tables);
    const lanes = await createSenderStore({ pool, tables: config.tables }).listLanes();
    for (const { name, lanes: wanted } of config.sources) {
      const there = lanes.filter(({ source }) => source === name).length;
      if (there > 0 && there !== wanted) {
        findings.warn(`source ${name}`, `has ${there} lanes; LANES=${wanted} is for new sources only`);
      }
    }
    return { says: Object.values(config.tables).join(', '), value: lanesNeeded(config, lanes) };
  });
}

async function checkSource(pool: Pool, source: SourceConfig, findings: Findings): Promise<void> {
  await findings.try(`source ${source.name}`, async () => {
    const { proof, graceMs, graceWarning, highest, warnings } = await trySource(pool, source);
    for (const warning of warnings) findings.warn(`source ${source.name}`, warning);
    if (graceWarning !== null) findings.warn(`source ${source.name}`, graceWarning);
    const better = betterMode(proof);
    const says = `${proof.mode} (${proof.reason}): ${promiseFor(source, proof.mode, graceMs)}`;
    const rows = highest === null ? 'no rows yet' : `highest ${source.watermarkColumn} ${highest}`;
    return {
      says: `table ${source.table}, ${rows}; gap mode ${says}${better === null ? '' : `; ${better}`}`,
      value: null,
    };
  });
}

async function checkKafka(config: Config, findings: Findings, lanes: number | null): Promise<void> {
  const kafka = await findings.try(`kafka ${config.kafka.bootstrapServers.join(',')}`, async () => {
    const connection = connectKafka(kafkaOptions(config, silentLogger));
    const { brokers, offsetsRetentionMinutes, transactionTimeoutMsMax } = await preflight(connection);
    if (offsetsRetentionMinutes !== null && offsetsRetentionMinutes < OFFSETS_RETENTION_MINUTES_MIN) {
      findings.warn(
        'kafka',
        `offsets.retention.minutes is ${offsetsRetentionMinutes}: markers are refreshed daily, give it ${OFFSETS_RETENTION_MINUTES_MIN} at least`,
      );
    }
    if (transactionTimeoutMsMax !== null && config.kafka.transactionTimeoutMs > transactionTimeoutMsMax) {
      throw new RelayError(
        'CONFIG_INVALID',
        `KAFKA_TRANSACTION_TIMEOUT is above the brokers' transaction.max.timeout.ms of ${transactionTimeoutMsMax}`,
      );
    }
    return { says: `${brokers} broker${brokers === 1 ? '' : 's'}, delivery ${config.deliveryMode}`, value: connection };
  });
  if (kafka === null) return;
  await findings.try('transactions', async () => ({ says: await tryTransaction(config, kafka), value: null }));
  await checkTopics(config, kafka, findings, lanes);
}

async function checkTopics(
  config: Config,
  kafka: KafkaConnection,
  findings: Findings,
  lanes: number | null,
): Promise<void> {
  const admin = createTopicAdmin(kafka);
  try {
    const marker = config.kafka.markerTopic;
    for (const topic of [marker, ...fixedTopics(config.sources)]) {
      const isMarker = topic === marker;
      await findings.try(`${isMarker ? 'marker topic' : 'topic'} ${topic}`, async () => {
        const count = (await admin.describeTopics([topic])).get(topic) ?? null;
        const how = isMarker ? 'run init' : 'create it, or run init --create-topics';
        if (count === null) throw new RelayError('KAFKA_TOPIC_MISSING', `does not exist: ${how}`);
        if (isMarker && lanes !== null && count < lanes) {
          throw new RelayError('KAFKA_TOPIC_MISSING', `has ${count} partitions for ${lanes} lanes: run init`);
        }
        return { says: `${count} partition${count === 1 ? '' : 's'}`, value: null };
      });
    }
  } finally {
    await admin.close();
  }
}

async function checkRedis(config: Config, findings: Findings): Promise<void> {
  const target = redisTarget(config);
  if (target === null) {
    findings.ok('redis', 'not configured; everything works through the database');
    return;
  }
  const what = `redis ${showRedisAddress(config.redis.url ?? '')}`;
  await findings.try(what, async () => {
    await pingRedis(target);
    const trials = await probeRedis(config);
    const refused = trials.filter(({ refusal }) => refusal !== null);
    for (const trial of refused.slice(1)) findings.warn(what, sayBoth(trial, config));
    const [first] = refused;
    if (first !== undefined) throw new RelayError('REDIS_REFUSED', sayBoth(first, config));
    return { says: `${trials.length} things the relay does there work`, value: null };
  });
}

const sayBoth = (trial: RedisTrial, config: Config): string =>
  `${sayRefusal(trial)}; ${mendRefusal(trial, config)}. Rows move all the same, elected and woken by the database`;
