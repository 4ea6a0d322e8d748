/** `init`: makes the tables and the marker topic, or brings them up to date; run again it says that they are there. */
import { type Command, Option } from 'commander';
import type { Config } from '#config';
import { type Pool, quoteIdentifier } from '#database';
import { createTopicAdmin, type TopicAdmin } from '#kafka-delivery';
import type { LaneRow } from '#outbox';
import { createSenderStore, migrate } from '#outbox-storage';
import {
  archiveTableSql,
  CANARY_TABLE_DEFAULT,
  canaryTableSql,
  maintainArchive,
  neededGraceMs,
  proveGapMode,
} from '#source-polling';
import { createSenderStore as createFileStore, migrate as migrateFile, openSqliteFile } from '#sqlite-storage';
import { betterMode, promiseFor } from '../wiring/gap-mode-promise.ts';
import { fixedTopics } from '../wiring/source-topics.ts';
import { tryTransaction } from '../wiring/try-transaction.ts';
import type { Cli } from './cli.ts';
import { type Patience, reachKafka, withDatabase } from './connect.ts';
import { hasCanary } from './init-sql.ts';
import { integerBetween, secondsAsMs, topicName } from './parse-arguments.ts';
import { refuseUsedPrefix } from './refuse-used-prefix.ts';

interface InitOptions {
  readonly kafka: boolean;
  readonly createTopics?: boolean;
  readonly topic?: readonly string[];
  readonly eventTables?: boolean;
  readonly partitions?: number;
  readonly wait: number;
}

const PARTITIONS_MAX = 10_000;

export function addInit(program: Command, cli: Cli): void {
  program
    .command('init')
    .description('make the tables and the marker topic, or bring them up to date')
    .option('--no-kafka', 'only the tables')
    .option('--create-topics', "make the sources' topics too when they are missing")
    .addOption(new Option('--create-topic', 'the same').implies({ createTopics: true }).hideHelp())
    .option('--topic <name>', 'make this topic too: for topics that rows name themselves; repeatable', topicName)
    .option(
      '--event-tables',
      'make the outbox tables of sources in mode consume, and their archives, when they are missing',
    )
    .option('--partitions <number>', 'partitions of topics made', integerBetween(1, PARTITIONS_MAX))
    .option('--wait <seconds>', 'wait so long for servers that are still starting', secondsAsMs, 0)
    .action((options: InitOptions) => init(cli, options));
}

async function init(cli: Cli, options: InitOptions): Promise<void> {
  const { config } = cli.load();
  const patience = patienceOf(cli, options);
  const lanes = config.sqlite === null ? await initServer(cli, config, options) : await initFile(cli, config, options);
  if (!options.kafka) return;
  const kafka = await reachKafka(config, patience);
  const admin = createTopicAdmin(kafka);
  try {
    await makeMarkerTopic(cli, config, admin, lanesNeeded(config, lanes));
    await lookAfterTopics(cli, config, admin, options);
  } finally {
    await admin.close();
  }
  cli.print(`transactions: ${await tryTransaction(config, kafka)}`);
}

const patienceOf = (cli: Cli, { wait }: InitOptions): Patience => ({ waitMs: wait, note: (line) => cli.note(line) });

function initServer(cli: Cli, config: Config, options: InitOptions): Promise<readonly LaneRow[]> {
  const patience = patienceOf(cli, options);
  return withDatabase(
    config,
    async (pool) => {
      if (options.kafka) await refuseUsedPrefix(config, pool, () => reachKafka(config, patience));
      await makeTables(cli, config, pool);
      if (options.eventTables) await makeEventTables(cli, config, pool);
      return createSenderStore({ pool, tables: config.tables }).listLanes();
    },
    patience,
  );
}

/** Makes the file, too, so that relay and application may start in any order. */
async function initFile(
  cli: Cli,
  { tables, sources, sqlite }: Config,
  options: InitOptions,
): Promise<readonly LaneRow[]> {
  const file = await openSqliteFile({ path: sqlite?.path ?? '', create: true });
  try {
    const { outcome } = await migrateFile(file, tables);
    cli.print(`tables ${outcome} in ${file.path}: ${Object.values(tables).join(', ')}`);
    const events = options.eventTables ? sources.filter(({ mode }) => mode === 'consume') : [];
    for (const { table } of events) {
      const { outboxTableSql } = await import('#application-outbox');
      for (const sql of outboxTableSql({ table, dialect: 'sqlite' })) await file.write((on) => on.run(sql));
      cli.print(`outbox table made, or already there: ${table}`);
    }
    return await createFileStore({ file, tables }).listLanes();
  } finally {
    file.close();
  }
}

async function makeTables(cli: Cli, config: Config, pool: Pool): Promise<void> {
  const { tables } = config;
  const { outcome } = await migrate(pool, tables);
  const names = Object.values(tables).join(', ');
  if (outcome === 'created') cli.print(`tables created: ${names}`);
  else cli.print(`tables already there: ${names}`);
  if (!hasCanary((await pool.engine()).kind)) return;
  const there = await hasTable(pool, CANARY_TABLE_DEFAULT);
  if (!there) await pool.run(canaryTableSql());
  cli.print(`canary table ${there ? 'already there' : 'created'}: ${CANARY_TABLE_DEFAULT}`);
  for (const source of config.sources) {
    const proof = await proveGapMode({ pool, wanted: source.gapMode });
    const better = betterMode(proof);
    // The source's table need not be there yet.
    const graceMs = source.gapGraceMs ?? neededGraceMs(proof.mode, proof.lockWaitMs ?? 0);
    const promise = promiseFor(source, proof.mode, graceMs);
    const says = `gap mode of source ${source.name}: ${proof.mode} (${proof.reason}): ${promise}`;
    cli.print(better === null ? says : `${says}; ${better}`);
  }
}

/** An application's table is made here only when it is asked for: usually its own migrations do. */
async function makeEventTables(cli: Cli, config: Config, pool: Pool): Promise<void> {
  // Its formatters are much to load, and no other command needs them.
  const { outboxTableSql } = await import('#application-outbox');
  for (const { table, event } of config.sources) {
    if (event === null) continue;
    const statements = [{ name: table, sql: outboxTableSql({ table: quoteIdentifier(table) })[0] as string }];
    if (event.archive !== null) {
      statements.push({ name: event.archive.table, sql: archiveTableSql(event.archive.table, table) });
    }
    for (const { name, sql } of statements) {
      const there = await hasTable(pool, name);
      if (!there) await pool.run(sql);
      cli.print(`event table ${there ? 'already there' : 'created'}: ${name}`);
    }
    if (event.archive !== null) await maintainArchive(pool, event.archive);
  }
}

async function hasTable(pool: Pool, table: string): Promise<boolean> {
  const [there] = await pool.query(
    'SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
    [table],
  );
  return there !== undefined;
}

/** One past the highest lane once every configured source is registered: new sources take the lanes next after the highest. */
export function lanesNeeded(config: Config, lanes: readonly Pick<LaneRow, 'lane' | 'source'>[]): number {
  const registered = new Set(lanes.map(({ source }) => source));
  const highest = lanes.reduce((most, { lane }) => Math.max(most, lane), -1);
  const coming = config.sources.filter(({ name }) => !registered.has(name));
  return coming.reduce((sum, { lanes: count }) => sum + count, highest + 1);
}

async function makeMarkerTopic(cli: Cli, config: Config, admin: TopicAdmin, partitions: number): Promise<void> {
  const outcome = await admin.createMarkerTopic(partitions);
  const topic = config.kafka.markerTopic;
  if (outcome === 'there') cli.print(`marker topic already there: ${topic}`);
  else cli.print(`marker topic ${outcome}: ${topic}, ${partitions} partitions`);
}

async function lookAfterTopics(cli: Cli, config: Config, admin: TopicAdmin, options: InitOptions): Promise<void> {
  const named = options.topic ?? [];
  const topics = [...new Set([...fixedTopics(config.sources), ...named])];
  const described = await admin.describeTopics(topics);
  for (const topic of topics) {
    if ((described.get(topic) ?? null) !== null) {
      cli.print(`topic already there: ${topic}`);
    } else if (options.createTopics || named.includes(topic)) {
      await admin.ensureTopic(topic, options.partitions);
      cli.print(`topic created: ${topic}`);
    } else {
      cli.note(
        `topic missing: ${topic}; nothing can be delivered to it until it is there: run init --create-topics, or kafka-topics.sh --create --topic ${topic} --partitions N --bootstrap-server ${config.kafka.bootstrapServers[0]}`,
      );
    }
  }
}
