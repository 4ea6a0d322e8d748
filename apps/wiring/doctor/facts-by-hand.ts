/** A deployment as facts made by hand, with changes: for the tests of the checks. */
import assert from 'node:assert/strict';
import { type LoadOptions, loadConfig } from '#config';
import type { ServerFacts } from '#database';
import type { TopicFacts } from '#kafka-delivery';
import type { WatermarkState } from '#outbox';
import { CHECKS } from './checks.ts';
import type { Facts, KafkaFacts, RelayFacts, ServerLook } from './facts.ts';
import type { Judgement } from './finding.ts';

/** A source that runs, with as many rows moved. */
export const watermarkAt = (position: bigint): WatermarkState => ({
  source: 'orders',
  position,
  nextSequence: Number(position) + 1,
  epoch: 1,
  leader: null,
  state: 'running',
  cause: null,
  why: null,
  incarnations: [],
});

export const ENV = {
  KAFKA_ROW_SENDER_DB_USER: 'relay',
  KAFKA_ROW_SENDER_DB_NAME: 'shop',
  KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
  KAFKA_ROW_SENDER_KAFKA_TOPIC: 'orders',
  KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'customer',
  KAFKA_ROW_SENDER_LANES: '4',
};

export const options = (env: Readonly<Record<string, string>>): LoadOptions => ({ env: { ...ENV, ...env } });

const NOTHING_WAITS = {
  backlog: { rows: 0, capped: false, oldestAgeMs: null },
  aside: { retrying: 0, parked: 0, waiting: 0, dead: 0 },
  waiting: [],
  stalls: [],
};

export function server(
  changes: Partial<ServerFacts> = {},
  variables: Readonly<Record<string, string>> = {},
): ServerFacts {
  return {
    engine: {
      kind: 'mariadb',
      name: 'mariadb 10.11.9-MariaDB',
      version: '10.11.9-MariaDB',
      major: 10,
      minor: 11,
      patch: 9,
      cachesStatistics: false,
      autoIncrementIncrement: 1,
      autoIncrementOffset: 1,
      statementBytesMax: 16_777_216,
    },
    variables: new Map(
      Object.entries({ tx_isolation: 'READ-COMMITTED', innodb_flush_log_at_trx_commit: '1', ...variables }),
    ),
    historyLength: 10,
    seesTransactions: true,
    oldestTransaction: null,
    clockAheadMs: { value: 1, error: 1 },
    ...changes,
  };
}

export const proof = {
  mode: 'transactions',
  reason: 'proven',
  betterBy: null,
  lockWaitMs: 50_000,
  autoIncrementIncrement: 1,
  autoIncrementOffset: 1,
  autoincLockMode: 1,
} as const;

export function topic(
  name: string,
  changes: Partial<TopicFacts> = {},
  config: Readonly<Record<string, string>> = {},
): TopicFacts {
  const usual = {
    'cleanup.policy': 'delete',
    'max.message.bytes': '1048588',
    'message.timestamp.after.max.ms': '3600000',
    'min.insync.replicas': '2',
    'retention.ms': '604800000',
    'unclean.leader.election.enable': 'false',
  };
  return {
    topic: name,
    fault: null,
    partitions: [{ partition: 0, leader: 1, replicas: 3, inSync: 3 }],
    config: new Map(Object.entries({ ...usual, ...config })),
    mayRead: true,
    mayWrite: true,
    ...changes,
  };
}

export const brokerConfig = (changes: Readonly<Record<string, string>> = {}) =>
  new Map(
    Object.entries({
      'offsets.retention.minutes': '10080',
      'socket.request.max.bytes': '104857600',
      'transaction.max.timeout.ms': '900000',
      'transaction.partition.verification.enable': 'true',
      ...changes,
    }),
  );

export const broker = (config: ReadonlyMap<string, string> | null = brokerConfig()) => ({
  nodeId: 1,
  address: 'kafka:9092',
  fault: null,
  missingApi: null,
  config,
});

export interface Changes {
  readonly env?: Readonly<Record<string, string>>;
  readonly database?: Partial<ServerLook>;
  readonly relay?: Partial<RelayFacts>;
  readonly kafka?: Partial<KafkaFacts>;
  readonly topics?: readonly TopicFacts[];
  readonly redis?: Facts['redis'];
  readonly redisTrials?: Facts['redisTrials'];
}

const lane = (number: number) => ({
  lane: number,
  source: 'orders',
  state: 'running' as const,
  why: null,
  holder: null,
  lease: 'free' as const,
  leaseExpired: true,
  claimEpoch: 0,
  deliveredId: null,
  marker: null,
  backlog: 0,
  capped: false,
  oldestAgeMs: null,
});

/** A deployment where everything is as it should be, but for the changes. */
export function facts({
  env = {},
  database = {},
  relay = {},
  kafka = {},
  topics = [],
  redis = null,
  redisTrials = redis && [{ what: 'ring', refusal: null }],
}: Changes): Facts {
  const { config, warnings } = loadConfig(options(env));
  const all = [topic('orders'), topic('__consumer_offsets'), topic('__transaction_state'), markerTopic(), ...topics];
  const [source] = config.sources;
  assert.ok(source);
  const lanes = [0, 1, 2, 3].map(lane);
  return {
    config,
    warnings,
    redis,
    redisTrials,
    database: {
      server: server(),
      schemaFault: null,
      missingGrants: [],
      sources: [
        {
          source,
          tried: { proof, graceMs: 1_000, graceWarning: null, highest: 5n, warnings: [] },
          watermark: null,
          nextPosition: 6n,
        },
      ],
      ...database,
    },
    relay: {
      status: {
        delivery: config.deliveryMode,
        database: '',
        kafka: { reachable: true, says: '' },
        redis: null,
        sources: [],
        gapHolders: null,
        lanes,
        members: [],
        ...NOTHING_WAITS,
      },
      watermarks: [watermarkAt(5n)],
      lanesAfter: lanes,
      largest: [],
      beats: [],
      ...relay,
    },
    kafka: {
      cluster: { brokers: [broker()], features: new Map(), topics: new Map(all.map((each) => [each.topic, each])) },
      targets: ['orders'],
      noted: [],
      rehearsal: { clockAheadMs: { value: 0, error: 1 } },
      groups: [{ group: 'g', state: 'Empty', members: 0, mayRead: true }],
      markers: new Map([0, 1, 2, 3].map((number) => [number, -1])),
      strangers: [],
      ...kafka,
    },
  };
}

export function markerTopic(): TopicFacts {
  const partitions = [0, 1, 2, 3].map((partition) => ({ partition, leader: 1, replicas: 1, inSync: 1 }));
  return topic('kafka-row-sender.markers', { partitions });
}

export function judge(id: string, changes: Changes): readonly Judgement[] {
  const check = CHECKS.find((each) => each.id === id);
  assert.ok(check, `there is no check ${id}`);
  return check.look(facts(changes));
}

/** The verdicts of one check on a changed deployment. */
export const verdicts = (id: string, changes: Changes): string =>
  judge(id, changes)
    .map(({ verdict }) => verdict)
    .join(' ');
