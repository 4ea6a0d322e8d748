/**
 * One deployment under load: its processes behind proxies, a load of concurrent transactions, a read_committed reader, and
 * a tally of what was committed and what arrived. Faults act on it.
 */
import { mkdirSync } from 'node:fs';
import { systemClock } from '#runtime';
import {
  createDeployment,
  type Deployment,
  type HistoryWriter,
  hotColumnSql,
  type Load,
  SAMPLE_COLUMNS,
  SAMPLE_FREE,
  SAMPLE_KEY,
  SAMPLE_WATERMARK,
  sampleSupplies,
  sampleTableSql,
  startLoad,
  startProxy,
} from '#testkit';
import type { Chance } from './chance.ts';
import { followTopics, type TopicReader } from './follow-topic.ts';
import { createRelayUser } from './relay-user.ts';
import { type DrillServers, REDIS_USER, SECRETS } from './servers.ts';
import { type Kind, Slot, type SlotProxies } from './slot.ts';
import { Tally } from './tally.ts';

export interface SceneOptions {
  readonly servers: DrillServers;
  readonly name: string;
  readonly seed: number;
  readonly chance: Chance;
  readonly rowsPerSecond: number;
  /** Folder of the processes' logs; made here. */
  readonly logs: string;
  readonly writers?: number;
  readonly senders?: number;
  /** Settings of the processes over the drill's usual ones, without prefix. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More environment for all of them, whole names. */
  readonly env?: Readonly<Record<string, string>>;
  /** Environment of one slot's processes, whole names. */
  readonly slotEnv?: (name: string) => Readonly<Record<string, string>>;
  /** Several brokers cannot be behind one proxy: then the processes talk to them directly. */
  readonly kafkaDirect?: boolean;
  /** Gets every transaction and every record. */
  readonly history?: HistoryWriter | null;
  readonly say: (text: string) => void;
}

export const TABLE = 'drill_rows';
const CONNECTIONS = 10;
const NOTE_BYTES = 60;
const WRITERS = 2;
const SENDERS = 4;
const ASK_DEADLINE_MS = 60_000;
const ASK_PAUSE_MS = 100;

/** The shortest lock and lease allowed, and short waits, so that recovery is quick and pauses outlast every lease. */
export const SETTINGS = {
  WRITER_LOCK_TTL: '3',
  LANE_LEASE: '5',
  OUTBOX_WRITER_POLL_INTERVAL: '0.2',
  KAFKA_SENDER_POLL_INTERVAL: '0.2',
  KAFKA_RETRY_BACKOFF_BASE: '0.2',
  KAFKA_RETRY_BACKOFF_MAX: '2',
  KAFKA_MAX_RETRIES: '2',
  KAFKA_TRANSACTION_TIMEOUT: '10',
  DB_CONNECT_TIMEOUT: '3',
  DB_READ_TIMEOUT: '6',
  SHUTDOWN_TIMEOUT: '10',
} as const;
/**
 * Rows come late, roll back and come in bulk, yet a bulk insert does not drown the rest; some statements own ids without rows while
 * they wait, or give them up by a savepoint.
 */
const MIX = { bulkRowsMax: 200, bulkShare: 0.02, hotShare: 0.1, undoneShare: 0.05 } as const;

/**
 * Some keys' rows name a topic that is in no settings: whoever takes over must know of it all the same. Rows of a fault's own may
 * name any topic.
 */
const TOPIC_COLUMN = 'Target';
export const AIM_COLUMN = 'Aim';
const NAMED_KEY_END = '-7';
const namedTopic = ({ name }: Deployment): string => `${name}.named`;
const nameTopicSql = (deployment: Deployment): string =>
  `ALTER TABLE \`${TABLE}\` ADD COLUMN \`${AIM_COLUMN}\` VARCHAR(4000) NULL, ADD COLUMN \`${TOPIC_COLUMN}\` VARCHAR(4000) AS (COALESCE(\`${AIM_COLUMN}\`, IF(\`${SAMPLE_KEY}\` LIKE '%${NAMED_KEY_END}', '${namedTopic(deployment)}', NULL))) VIRTUAL`;

async function makeNamedTopic(deployment: Deployment): Promise<void> {
  const { code, output } = await deployment.cli('init', '--topic', namedTopic(deployment), '--partitions', '6');
  if (code !== 0) throw new Error(`init ended with ${code}: ${output}`);
}

export interface Scene {
  readonly servers: DrillServers;
  readonly deployment: Deployment;
  /** The one of the settings, the one that only rows name, and those that a fault has made. */
  readonly topics: readonly string[];
  readonly chance: Chance;
  readonly slots: readonly Slot[];
  readonly load: Load;
  readonly tally: Tally;
  readonly reader: TopicReader;
  /** Part of what was delivered is in the topic no more: only what was read at the time can be judged. */
  readonly historyGone: boolean;
  readonly logs: string;
  readonly relayUser: string;
  readonly say: (text: string) => void;
  writers(): readonly Slot[];
  senders(): readonly Slot[];
  /** The slot whose process leads, by the watermark row; null when it is none that runs. */
  leader(): Promise<Slot | null>;
  /** Of the load's row with this key. */
  topicOf(key: string): string;
  /** There is another topic now. */
  addTopic(topic: string): void;
  /** A topic was deleted, and made again: reads it from its beginning. */
  readAfresh(topic: string): Promise<void>;
  outboxRows(): Promise<number>;
  /** A statement of the drill's own; waits for a server that is on its way back. */
  ask<T>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  /** Ends everything and removes the deployment. */
  close(): Promise<void>;
}

export async function openScene(options: SceneOptions): Promise<Scene> {
  const { servers, logs } = options;
  mkdirSync(logs, { recursive: true });
  const deployment = await createDeployment({
    name: options.name,
    servers: {
      database: servers.mariadb,
      redisUrl: servers.redis.url,
      kafkaBootstrap: servers.kafka.bootstrap,
    },
    source: { table: TABLE, keyColumn: SAMPLE_KEY, watermarkColumn: SAMPLE_WATERMARK },
    settings: { ...SETTINGS, KAFKA_TOPIC_COLUMN: TOPIC_COLUMN, ...options.settings },
  });
  const slots: Slot[] = [];
  try {
    await deployment.query(sampleTableSql(TABLE));
    await deployment.query(`ALTER TABLE \`${TABLE}\` MODIFY \`Note\` LONGTEXT NULL`);
    await deployment.query(nameTopicSql(deployment));
    await deployment.query(hotColumnSql(TABLE));
    await deployment.init();
    await makeNamedTopic(deployment);
    const relayUser = await createRelayUser(deployment, TABLE);
    for (const [kind, count] of [
      ['writer', options.writers ?? WRITERS],
      ['sender', options.senders ?? SENDERS],
    ] as const) {
      for (let number = 1; number <= count; number += 1) {
        slots.push(await createSlot(options, deployment, relayUser, kind, `${kind}-${number}`));
      }
    }
    return assemble(options, deployment, relayUser, slots);
  } catch (error) {
    await Promise.all(slots.map((slot) => slot.close()));
    await deployment.drop();
    throw error;
  }
}

/** Begins: processes, load and reader run from now on. */
function assemble(
  { servers, chance, logs, say, seed, rowsPerSecond, history = null }: SceneOptions,
  deployment: Deployment,
  relayUser: string,
  slots: readonly Slot[],
): Scene {
  const load = startLoad({
    target: {
      ...{ ...deployment.database, table: TABLE, watermarkColumn: SAMPLE_WATERMARK, columns: SAMPLE_COLUMNS },
      freeColumn: SAMPLE_FREE,
    },
    supplies: sampleSupplies({ connections: CONNECTIONS, noteBytes: NOTE_BYTES }),
    seed,
    mix: MIX,
    rowsPerSecond,
    ...(history === null ? {} : { write: (transaction) => history.transaction(transaction) }),
  });
  const topics = [deployment.topic, namedTopic(deployment)];
  history?.run({ seed, table: TABLE, topics: [...topics] });
  const tally = new Tally(load.ledger);
  const reader = followTopics(deployment.env, topics, tally, (record) => history?.record(record));
  const state = { historyGone: false };
  const ask = <T>(sql: string, values: readonly unknown[] = []) => askPatiently<T>(deployment, sql, values);
  for (const slot of slots) slot.start();
  const ofKind = (kind: Kind) => slots.filter((slot) => slot.kind === kind);
  return {
    ...{ servers, deployment, topics, chance, slots, load, tally, reader, logs, relayUser, say },
    get historyGone() {
      return state.historyGone;
    },
    topicOf: (key) => (key.endsWith(NAMED_KEY_END) ? namedTopic(deployment) : deployment.topic),
    addTopic: (topic) => {
      topics.push(topic);
      reader.follow(topic);
    },
    readAfresh: async (topic) => {
      state.historyGone = true;
      await reader.forget(topic);
    },
    writers: () => ofKind('writer'),
    senders: () => ofKind('sender'),
    ask,
    outboxRows: async () => {
      const [row] = await ask<{ rows: number }>('SELECT COUNT(*) AS `rows` FROM kafka_row_sender_outbox');
      return Number(row?.rows);
    },
    leader: async () => {
      const [row] = await ask<{ leader: string | null }>('SELECT leader FROM kafka_row_sender_watermark');
      return ofKind('writer').find((slot) => slot.running && slot.instance === row?.leader) ?? null;
    },
    close: async () => {
      await Promise.all(slots.map((slot) => slot.close()));
      await load.stop().catch(() => undefined);
      await reader.stop();
      await deployment.query(`DROP USER IF EXISTS '${relayUser}'@'%'`).catch(() => undefined);
      await deployment.drop();
    },
  };
}

async function createSlot(
  options: SceneOptions,
  deployment: Deployment,
  relayUser: string,
  kind: Kind,
  name: string,
): Promise<Slot> {
  const { mariadb, redis, kafka, kafkaLogin } = options.servers;
  const [host = '', port = ''] = (kafkaLogin?.address ?? kafka.bootstrap).split(',')[0]?.split(':') ?? [];
  const proxies: SlotProxies = {
    database: await startProxy({ host: mariadb.host, port: mariadb.port }),
    redis: await startProxy({ host: redis.host, port: redis.port }),
    kafka: await startProxy({ host, port: Number(port) }, { kafka: true }),
  };
  const own = {
    DB_HOST: proxies.database.host,
    DB_PORT: String(proxies.database.port),
    DB_USER: relayUser,
    DB_PASSWORD: SECRETS.database,
    REDIS_URL: `redis://${REDIS_USER}:${SECRETS.redis}@${proxies.redis.host}:${proxies.redis.port}`,
    ...(options.kafkaDirect ? {} : { KAFKA_BOOTSTRAP_SERVERS: `${proxies.kafka.host}:${proxies.kafka.port}` }),
  };
  const prefixed = Object.entries(own).map(([setting, value]) => [`KAFKA_ROW_SENDER_${setting}`, value]);
  // Some come back under their old name, as a StatefulSet's, some under a new one.
  const keepsName = options.chance.happens(0.5);
  return new Slot({
    ...{ kind, name, proxies, logs: options.logs },
    env: { ...deployment.env, ...Object.fromEntries(prefixed), ...options.env, ...options.slotEnv?.(name) },
    instanceId: (generation) => (keepsName ? name : `${name}.${generation}`),
  });
}

/** Only reads and statements that can be run twice. */
async function askPatiently<T>(deployment: Deployment, sql: string, values: readonly unknown[]): Promise<T[]> {
  const deadlineMs = systemClock.nowMs() + ASK_DEADLINE_MS;
  for (;;) {
    try {
      return await deployment.query<T>(sql, values);
    } catch (error) {
      const { fatal, code } = error as { fatal?: boolean; code?: string };
      const away = fatal === true || code === 'ECONNREFUSED';
      if (!away || systemClock.nowMs() > deadlineMs) throw error;
    }
    await systemClock.sleep(ASK_PAUSE_MS);
  }
}
