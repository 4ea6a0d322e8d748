/** Checks of Kafka and Redis on facts made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { broker, brokerConfig, type Changes, facts, judge, markerTopic, topic, verdicts } from './facts-by-hand.ts';

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

test('kafka: what brokers take in a request, against topics and rows', () => {
  const { kafka } = facts({});
  assert.ok(kafka);
  const sized = (bytes: string | null, limit: string, size: number, env = {}): Changes => {
    const config = bytes === null ? null : brokerConfig({ 'socket.request.max.bytes': bytes });
    const topics = new Map([['orders', topic('orders', {}, { 'max.message.bytes': limit })]]);
    const cluster = { ...kafka.cluster, topics, brokers: [{ ...broker(), config }] };
    return { env, kafka: { cluster }, relay: { largest: [{ topic: 'orders', size }] } };
  };
  const verdict = (...of: Parameters<typeof sized>) => verdicts('kafka.request-size', sized(...of));
  assert.equal(verdict('104857600', '1048588', 500), 'fine');
  assert.equal(verdict('2000000', '5000000', 500), 'risky', 'a topic that lets through what the broker does not');
  assert.equal(verdict('2000000', '1000000', 3_000_000), 'risky', 'a row that waits');
  assert.match(judge('kafka.request-size', sized('2000000', '1000000', 3_000_000))[0]?.says ?? '', /3000000 bytes/);
  assert.match(
    judge('kafka.request-size', sized('2000000', '5000000', 500))[0]?.mend ?? '',
    /kafka-configs\.sh .*max\.message\.bytes=1998976/,
  );
  assert.equal(verdict('2000000', '5000000', 3_000_000, { KAFKA_ROW_SENDER_OVERSIZE: 'chunk' }), 'fine');
  assert.equal(verdict(null, '1048588', 500), 'unknown');
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
  assert.equal(verdicts('kafka.topics', { topics: [topic('orders', { mayRead: false })] }), 'risky');
  const noted = { kafka: { noted: ['named', 'gone'] } };
  const gone = topic('gone', { fault: new RelayError('KAFKA_TOPIC_MISSING', 'gone'), partitions: [] });
  const named = (changes: object) => ({ ...noted, topics: [topic('orders'), topic('named', changes), gone] });
  assert.equal(verdicts('kafka.topics', named({})), 'fine fine');
  assert.equal(verdicts('kafka.topics', named({ mayRead: false })), 'fine risky');
  assert.equal(verdicts('kafka.topics', { topics: [topic('orders')], kafka: { noted: null } }), 'fine risky');
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

test('a command that Redis refuses is named with the ACL rule that allows it', () => {
  const refusal = { code: 'NOPERM', command: 'publish', pattern: null };
  const [found] = judge('redis.commands', { redisTrials: [{ what: 'ring the doorbell', refusal }] });
  assert.equal(found?.verdict, 'broken');
  assert.match(found?.says ?? '', /^cannot ring the doorbell: NOPERM for PUBLISH/);
});
