/** Each check on facts made by hand: what is fine, risky and broken, for what no test server can be made to be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadOptions, loadConfig } from '#config';
import type { ServerFacts } from '#database';
import type { TopicFacts } from '#kafka-delivery';
import { RelayError } from '#runtime';
import { CHECKS } from './checks.ts';
import type { Facts, KafkaFacts, RelayFacts, ServerLook } from './facts.ts';
import type { Judgement } from './finding.ts';

const ENV = {
  KAFKA_ROW_SENDER_DB_USER: 'relay',
  KAFKA_ROW_SENDER_DB_NAME: 'shop',
  KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
  KAFKA_ROW_SENDER_KAFKA_TOPIC: 'orders',
  KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'customer',
  KAFKA_ROW_SENDER_LANES: '4',
};

const options = (env: Readonly<Record<string, string>>): LoadOptions => ({ env: { ...ENV, ...env } });

function server(changes: Partial<ServerFacts> = {}, variables: Readonly<Record<string, string>> = {}): ServerFacts {
  return {
    engine: {
      kind: 'mariadb',
      version: '10.11.9',
      major: 10,
      minor: 11,
      patch: 9,
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

const proof = {
  mode: 'locks',
  reason: 'proven',
  autoIncrementIncrement: 1,
  autoIncrementOffset: 1,
  autoincLockMode: 1,
} as const;

function topic(
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

const brokerConfig = (changes: Readonly<Record<string, string>> = {}) =>
  new Map(
    Object.entries({
      'offsets.retention.minutes': '10080',
      'transaction.max.timeout.ms': '900000',
      'transaction.partition.verification.enable': 'true',
      ...changes,
    }),
  );

const broker = (config: ReadonlyMap<string, string> | null = brokerConfig()) => ({
  nodeId: 1,
  address: 'kafka:9092',
  fault: null,
  missingApi: null,
  config,
});

interface Changes {
  readonly env?: Readonly<Record<string, string>>;
  readonly database?: Partial<ServerLook>;
  readonly relay?: Partial<RelayFacts>;
  readonly kafka?: Partial<KafkaFacts>;
  readonly topics?: readonly TopicFacts[];
  readonly redis?: Facts['redis'];
}

/** A deployment where everything is as it should be, but for the changes. */
function facts({ env = {}, database = {}, relay = {}, kafka = {}, topics = [], redis = null }: Changes): Facts {
  const { config, warnings } = loadConfig(options(env));
  const all = [topic('orders'), topic('__consumer_offsets'), topic('__transaction_state'), markerTopic(), ...topics];
  const [source] = config.sources;
  assert.ok(source);
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
  const lanes = [0, 1, 2, 3].map(lane);
  return {
    config,
    warnings,
    redis,
    database: {
      server: server(),
      schemaFault: null,
      missingGrants: [],
      sources: [{ source, tried: { proof, highest: 5n, warnings: [] }, watermark: null, nextPosition: 6n }],
      ...database,
    },
    relay: {
      status: {
        delivery: config.deliveryMode,
        database: '',
        kafka: { reachable: true, says: '' },
        redis: null,
        sources: [],
        lanes,
        members: [],
        backlog: { rows: 0, capped: false, oldestAgeMs: null },
        aside: { retrying: 0, parked: 0, dead: 0 },
      },
      watermarks: [{ source: 'orders', position: 5n, gaps: [], nextSequence: 6, epoch: 1, leader: null }],
      lanesAfter: lanes,
      largest: [],
      beats: [],
      ...relay,
    },
    kafka: {
      cluster: { brokers: [broker()], features: new Map(), topics: new Map(all.map((each) => [each.topic, each])) },
      targets: ['orders'],
      rehearsal: { clockAheadMs: { value: 0, error: 1 } },
      groups: [{ group: 'g', state: 'Empty', members: 0, mayRead: true }],
      markers: new Map([0, 1, 2, 3].map((number) => [number, -1])),
      strangers: [],
      ...kafka,
    },
  };
}

function markerTopic(): TopicFacts {
  const partitions = [0, 1, 2, 3].map((partition) => ({ partition, leader: 1, replicas: 1, inSync: 1 }));
  return topic('kafka-row-sender.markers', { partitions });
}

function judge(id: string, changes: Changes): readonly Judgement[] {
  const check = CHECKS.find((each) => each.id === id);
  assert.ok(check, `there is no check ${id}`);
  return check.look(facts(changes));
}

/** The verdicts of one check on a changed deployment. */
const verdicts = (id: string, changes: Changes): string =>
  judge(id, changes)
    .map(({ verdict }) => verdict)
    .join(' ');

test('a deployment as it should be: every check answers, all of it fine', () => {
  const redis = { version: '7.0.0', maxmemoryPolicy: 'noeviction', maxmemory: 0, usedMemory: 1, role: 'master' };
  const all = facts({ redis });
  for (const { id, look } of CHECKS) {
    const judgements = look(all);
    assert.ok(judgements.length > 0, `${id} says nothing`);
    for (const { verdict, says } of judgements) assert.equal(verdict, 'fine', `${id}: ${says}`);
  }
});

test('names are unique, and where a server is away its checks say nothing', () => {
  assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
  const nothing: Facts = { ...facts({}), database: null, relay: null, kafka: null, redis: null };
  const said = CHECKS.filter(({ look }) => look(nothing).length > 0).map(({ id }) => id);
  assert.deepEqual(said, ['settings.delivery']);
});

test('everything that is not fine says what mends it', () => {
  const bad = facts({
    env: { KAFKA_ROW_SENDER_KAFKA_TRANSACTION_TIMEOUT: '60' },
    database: { server: server({ oldestTransaction: { thread: '7', ageMs: 90_000 } }, { read_only: 'ON' }) },
    kafka: { strangers: [{ transactionalId: 'x.y', startedAtMs: 1 }], targets: ['missing'] },
  });
  for (const { id, look } of CHECKS) {
    for (const { verdict, mend } of look(bad)) if (verdict === 'risky' || verdict === 'broken') assert.ok(mend, id);
  }
});

test('settings: at-least-once is risky', () => {
  assert.equal(verdicts('settings.delivery', { env: { KAFKA_ROW_SENDER_KAFKA_ACKS: '1' } }), 'risky');
});

test('database: server settings', () => {
  const variables = (id: string, values: Readonly<Record<string, string>>) =>
    verdicts(id, { database: { server: server({}, values) } });
  assert.equal(variables('database.isolation', { log_bin: 'ON', binlog_format: 'STATEMENT' }), 'broken');
  assert.equal(variables('database.isolation', { log_bin: 'ON', binlog_format: 'ROW' }), 'fine');
  assert.equal(variables('database.isolation', { tx_isolation: 'REPEATABLE-READ' }), 'broken');
  assert.equal(variables('database.isolation', { transaction_isolation: 'READ-COMMITTED' }), 'fine');
  assert.equal(variables('database.read-only', { read_only: 'ON' }), 'broken');
  assert.equal(variables('database.durability', { innodb_flush_log_at_trx_commit: '2' }), 'risky');
  const engine = { ...server().engine, autoIncrementIncrement: 3, statementBytesMax: 1_048_576 };
  const changed = { database: { server: server({ engine }) } };
  assert.equal(verdicts('database.auto-increment', changed), 'risky');
  assert.equal(verdicts('database.max-allowed-packet', changed), 'risky');
  const singlestore = { database: { server: server({ engine: { ...engine, kind: 'singlestore' } }) } };
  assert.equal(verdicts('database.engine', singlestore), 'risky');
});

test('database: purge, open transactions, clock, and what may not be seen', () => {
  const seen = (id: string, changes: Partial<ServerFacts>) => verdicts(id, { database: { server: server(changes) } });
  assert.equal(seen('database.history', { historyLength: 200_000 }), 'risky');
  assert.equal(seen('database.history', { historyLength: null }), 'unknown');
  assert.equal(seen('database.oldest-transaction', { seesTransactions: false }), 'unknown');
  assert.equal(seen('database.oldest-transaction', { oldestTransaction: { thread: '9', ageMs: 5_000 } }), 'fine');
  assert.equal(seen('database.oldest-transaction', { oldestTransaction: { thread: '9', ageMs: 65_000 } }), 'risky');
  assert.equal(seen('database.clock', { clockAheadMs: { value: -9_000, error: 10 } }), 'risky');
});

test('database: gap mode time is risky, and broken while a transaction is open for longer than its grace', () => {
  const { database } = facts({});
  const [source] = database?.sources ?? [];
  assert.ok(source);
  const tried = { proof: { ...proof, mode: 'time', reason: 'no canary' } as const, highest: null, warnings: [] };
  const sources = [{ ...source, tried }];
  assert.equal(verdicts('database.gap-mode', { database: { sources } }), 'risky');
  const oldestTransaction = { thread: '9', ageMs: 61_000 };
  assert.equal(
    verdicts('database.oldest-transaction', { database: { sources, server: server({ oldestTransaction }) } }),
    'broken',
  );
});

test('database: an id to come at or below the watermark is broken', () => {
  const { database } = facts({});
  const [source] = database?.sources ?? [];
  assert.ok(source);
  const watermark = { source: 'orders', position: 5n, gaps: [], nextSequence: 6, epoch: 1, leader: null };
  const at = (nextPosition: bigint | null) =>
    verdicts('database.source-position', { database: { sources: [{ ...source, watermark, nextPosition }] } });
  assert.deepEqual([at(6n), at(5n), at(1n), at(null)], ['fine', 'broken', 'broken', 'unknown']);
});

test('kafka: replicas, those in sync, and how many must be', () => {
  const orders = (replicas: number, inSync: number, least: string): Changes => ({
    topics: [
      topic(
        'orders',
        { partitions: [{ partition: 0, leader: 1, replicas, inSync }] },
        { 'min.insync.replicas': least },
      ),
    ],
  });
  const replication = (changes: Changes) => verdicts('kafka.replication', changes).split(' ')[0];
  const minInsync = (changes: Changes) => verdicts('kafka.min-insync', changes).split(' ')[0];
  assert.equal(replication(orders(1, 1, '1')), 'risky');
  assert.equal(replication(orders(3, 2, '2')), 'risky');
  assert.equal(minInsync(orders(3, 3, '1')), 'risky');
  assert.equal(minInsync(orders(3, 3, '3')), 'risky');
  assert.equal(minInsync(orders(3, 1, '2')), 'broken');
  assert.match(judge('kafka.min-insync', orders(1, 1, '1'))[0]?.mend ?? '', /^more replicas first/);
});

test('kafka: unclean election on any topic that matters is broken', () => {
  const unclean = { 'unclean.leader.election.enable': 'true' };
  assert.equal(verdicts('kafka.unclean-election', { topics: [topic('orders', {}, unclean)] }), 'broken fine fine');
  assert.equal(
    verdicts('kafka.unclean-election', { topics: [topic('__consumer_offsets', {}, unclean)] }),
    'fine broken fine',
  );
});

test('kafka: brokers too old or away, and what they allow', () => {
  const cluster = (changes: object): Changes => {
    const { kafka } = facts({});
    assert.ok(kafka);
    return { kafka: { cluster: { ...kafka.cluster, brokers: [{ ...broker(), ...changes }] } } };
  };
  const config = (changes: Readonly<Record<string, string>>) => cluster({ config: brokerConfig(changes) });
  assert.equal(verdicts('kafka.brokers', cluster({ missingApi: 'Produce version 7' })), 'broken');
  assert.equal(verdicts('kafka.brokers', cluster({ fault: new RelayError('KAFKA_UNREACHABLE', 'gone') })), 'risky');
  assert.equal(verdicts('kafka.offsets-retention', config({ 'offsets.retention.minutes': '1439' })), 'broken');
  assert.equal(verdicts('kafka.offsets-retention', config({ 'offsets.retention.minutes': '2880' })), 'risky');
  assert.equal(verdicts('kafka.transaction-timeout', config({ 'transaction.max.timeout.ms': '30000' })), 'broken');
  assert.equal(
    verdicts('kafka.partition-verification', config({ 'transaction.partition.verification.enable': 'false' })),
    'risky',
  );
  assert.equal(verdicts('kafka.partition-verification', cluster({ config: new Map() })), 'risky');
  for (const id of ['kafka.offsets-retention', 'kafka.transaction-timeout', 'kafka.partition-verification']) {
    assert.equal(verdicts(id, cluster({ config: null })), 'unknown');
  }
});

test('kafka: what a topic takes and keeps', () => {
  const orders = (config: Readonly<Record<string, string>>, more: Changes = {}): Changes => ({
    ...more,
    topics: [topic('orders', {}, config)],
  });
  assert.equal(verdicts('kafka.cleanup-policy', orders({ 'cleanup.policy': 'compact,delete' })), 'risky');
  const keyless = { env: { KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: '' } };
  assert.equal(verdicts('kafka.cleanup-policy', orders({ 'cleanup.policy': 'compact' }, keyless)), 'broken');
  const large = { relay: { largest: [{ topic: 'orders', size: 1_900 }] } };
  assert.equal(verdicts('kafka.message-size', orders({ 'max.message.bytes': '2000' }, large)), 'risky');
  assert.equal(verdicts('kafka.message-size', orders({ 'max.message.bytes': '3000' }, large)), 'fine');
});

test('kafka: times that the brokers refuse are broken, noticeable ones risky', () => {
  const ahead = (value: number) =>
    verdicts('kafka.clock', { kafka: { rehearsal: { clockAheadMs: { value, error: 5 } } } });
  assert.deepEqual(
    [ahead(1_000), ahead(120_000), ahead(-120_000), ahead(-3_700_000)],
    ['fine', 'risky', 'risky', 'broken'],
  );
});

test('kafka: rights', () => {
  const refused = new RelayError('KAFKA_REFUSED', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
  assert.equal(verdicts('kafka.transactions', { kafka: { rehearsal: refused } }), 'broken');
  assert.match(
    judge('kafka.transactions', { kafka: { rehearsal: refused } })[0]?.mend ?? '',
    /--transactional-id kafka-row-sender\. --resource-pattern-type prefixed/,
  );
  assert.equal(verdicts('kafka.marker-groups', { kafka: { groups: [refused] } }), 'broken');
  assert.equal(verdicts('kafka.topics', { topics: [topic('orders', { mayWrite: false })] }), 'broken');
  const marker = { ...markerTopic(), mayRead: false };
  assert.equal(verdicts('kafka.marker-topic', { topics: [marker] }), 'broken');
});

test('redis: policy, version, role', () => {
  const redis = { version: '7.0.0', maxmemoryPolicy: 'noeviction', maxmemory: 0, usedMemory: 1, role: 'master' };
  assert.equal(verdicts('redis.memory', { redis: { ...redis, maxmemoryPolicy: 'allkeys-lru' } }), 'risky');
  assert.equal(verdicts('redis.version', { redis: { ...redis, version: '4.0.1' } }), 'broken');
  assert.equal(verdicts('redis.version', { redis: { ...redis, version: '6.0.9' } }), 'risky');
  assert.equal(verdicts('redis.role', { redis: { ...redis, role: 'slave' } }), 'broken');
  assert.equal(verdicts('redis.memory', { redis: { ...redis, maxmemoryPolicy: null } }), 'unknown');
});
