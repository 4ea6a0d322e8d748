/** The pure parts: settings, headers byte for byte, verdicts, and how far a commit may go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsumerOptions, settingsFrom } from './consumer-options.ts';
import { HandlerPool } from './handler-pool.ts';
import type { PendingGroup } from './message.ts';
import { PartitionLedger } from './partition-ledger.ts';
import { deadRecord, type FailedAttempt, judgeFailure, retryRecord } from './plan-failure.ts';
import { ownHeaders, readOrigin, readRetryState, retryHeaders } from './retry-headers.ts';
import { resolveTopics } from './topic-rules.ts';

const TOPIC = { topic: 'orders', retryTopic: 'orders.retry', deadLetterTopic: 'orders.dead' };
const OPTIONS: ConsumerOptions = { brokers: ['b:1'], groupId: 'g', topics: [TOPIC], handler: () => {} };

function failedAttempt(attempt: number, error: unknown = new Error('no'), options = OPTIONS): FailedAttempt {
  const { topics } = settingsFrom(options);
  const origin = { topic: 'orders', partition: 2, offset: 7n };
  const place = { topic: 'orders.retry', partition: 1, offset: 5n };
  const body = { key: Buffer.from('k'), value: Buffer.from('v'), headers: { id: Buffer.from('a') } };
  const message = { ...place, ...body, timestampMs: 0, attempt, origin };
  return { message, offsets: [5n], error, rule: topics[0] as FailedAttempt['rule'] };
}

const failure = (name: string): PendingGroup => {
  const body = { key: null, value: Buffer.alloc(100), headers: {}, mayBeSplit: true };
  return { records: [{ kind: 'retry', topic: name, partition: null, ...body }], bury: null };
};

test('settings that cannot work are refused with one line', () => {
  const bad: readonly Partial<ConsumerOptions>[] = [
    { concurrency: 0 },
    { topics: [] },
    { groupId: '' },
    { brokers: [] },
    { drainTimeoutMs: -1 },
    { topics: [{ ...TOPIC, deadLetterTopic: '' }] },
    { topics: [{ ...TOPIC, retries: -1 }] },
    { topics: [{ ...TOPIC, retryTopic: 'orders' }] },
    { topics: [TOPIC, { ...TOPIC, topic: 'other' }] },
    { topics: [TOPIC, { topic: 'orders.dead', deadLetterTopic: 'x' }] },
  ];
  for (const each of bad) assert.throws(() => settingsFrom({ ...OPTIONS, ...each }), { code: 'CONFIG_INVALID' });
  assert.equal(settingsFrom(OPTIONS).drainTimeoutMs, 30_000);
});

test('topics: patterns leave out retry and dead-letter topics, what is missing is named, a retry topic may be', () => {
  const { topics } = settingsFrom({
    ...OPTIONS,
    topics: [TOPIC, { topic: /^orders|^bills/, retryTopic: 'all.retry', deadLetterTopic: 'all.dead' }],
  });
  const all = ['orders', 'orders.retry', 'orders.dead', 'bills', 'all.dead', '__consumer_offsets'];
  const { ruleOf, missingRetryTopics } = resolveTopics(topics, new Set(all));
  assert.deepEqual([...ruleOf.keys()].sort(), ['bills', 'orders', 'orders.retry']);
  assert.equal(ruleOf.get('bills')?.retryTopic, 'all.retry');
  assert.deepEqual(missingRetryTopics, ['all.retry']);
  assert.throws(() => resolveTopics(topics, new Set(['orders', 'bills'])), /orders\.dead, all\.dead/);
});

test('retry headers, byte for byte; the due time is rounded up; what is no number is no retry', () => {
  const headers = retryHeaders({ attempt: 2, dueMs: 1_700_000_000_001 });
  assert.deepEqual(headers.retriable_kafka_attempt, Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]));
  assert.deepEqual(headers.retriable_kafka_timestamp, Buffer.from('000000006553f101', 'hex'));
  assert.deepEqual(readRetryState(headers), { attempt: 2, dueMs: 1_700_000_001_000 });
  assert.deepEqual(readRetryState({}), { attempt: 0, dueMs: 0 });
  assert.equal(readRetryState({ retriable_kafka_attempt: '2' }), null);
});

test('retry, then dead: attempts, backoff, classes, ordering', () => {
  const now = { wallMs: 1_000, retryTopicExists: true };
  const topics = [{ ...TOPIC, retries: 3, delayMs: 100, backoff: 2, delayMaxMs: 350 }];
  const options = { ...OPTIONS, topics, nonRetriable: [TypeError] };
  const settings = settingsFrom(options);
  const verdicts = [0, 1, 2, 3].map((attempt) => judgeFailure(failedAttempt(attempt, 1, options), settings, now));
  assert.deepEqual(verdicts, [
    { kind: 'retry', dueMs: 1_100 },
    { kind: 'retry', dueMs: 1_200 },
    { kind: 'retry', dueMs: 1_350 },
    { kind: 'dead', reason: 'out-of-attempts' },
  ]);
  assert.deepEqual(judgeFailure(failedAttempt(0, new TypeError(), options), settings, now), {
    kind: 'dead',
    reason: 'non-retriable',
  });
  const missing = judgeFailure(failedAttempt(0), settings, { ...now, retryTopicExists: false });
  assert.deepEqual(missing, { kind: 'dead', reason: 'retry-topic-missing' });
  assert.equal(judgeFailure(failedAttempt(0), settingsFrom({ ...options, ordering: 'key' }), now).kind, 'wait');
});

test('a retry and a dead letter carry the message`s own headers, its origin, and why', () => {
  const retry = retryRecord(failedAttempt(1), 5_000);
  assert.equal(retry.topic, 'orders.retry');
  assert.deepEqual(readRetryState(retry.headers), { attempt: 2, dueMs: 5_000 });
  assert.deepEqual(ownHeaders(retry.headers), { id: Buffer.from('a') });
  const nowhere = { topic: 'x', partition: 0, offset: 0n };
  assert.deepEqual(readOrigin(retry.headers, nowhere), { topic: 'orders', partition: 2, offset: 7n });
  assert.deepEqual(readOrigin({ kafka_row_sender_origin_topic: 'x' }, nowhere), nowhere);

  const { topic, headers } = deadRecord(failedAttempt(5, new RangeError('too far')), 'out-of-attempts', 'g', 0);
  const note = (name: string) => headers[`kafka_row_sender_dead_letter_${name}`];
  assert.equal(topic, 'orders.dead');
  assert.deepEqual(
    ['reason', 'error_class', 'error_message', 'attempts', 'group', 'topic', 'partition', 'offsets', 'time'].map(note),
    ['out-of-attempts', 'RangeError', 'too far', '6', 'g', 'orders.retry', '1', '5', '1970-01-01T00:00:00.000Z'],
  );
  assert.match(String(note('error_stack')), /RangeError: too far\n\s+at /);
  assert.deepEqual(ownHeaders(headers), { id: Buffer.from('a') });
});

test('ledger: a commit passes only what is finished, and takes along the failures it passes', () => {
  const ledger = new PartitionLedger(10n);
  assert.equal(ledger.settlement(), null);
  for (const offset of [10n, 11n, 12n]) ledger.open(offset);
  const late = failure('late');
  ledger.finish([12n], [late]);
  ledger.finish([10n]);
  assert.deepEqual(ledger.settlement(), { next: 11n, groups: [] });
  ledger.committedTo(11n);
  assert.equal(ledger.settlement(), null);
  ledger.finish([11n]);
  assert.deepEqual(ledger.settlement(), { next: 13n, groups: [late] });
  ledger.committedTo(13n);
  assert.deepEqual([ledger.size, ledger.isFinished(12n), ledger.isFinished(13n)], [0, true, false]);
  ledger.seen(15n);
  assert.deepEqual(ledger.settlement(), { next: 15n, groups: [] });
});

test('ledger: a transaction takes no more than its limits, but at least one message', () => {
  const ledger = new PartitionLedger(0n);
  const groups = ['a', 'b', 'c'].map(failure);
  groups.forEach((group, offset) => {
    ledger.finish([BigInt(offset * 2)], [group]);
    ledger.finish([BigInt(offset * 2 + 1)]);
  });
  assert.equal(ledger.pendingBytes, 300);
  assert.deepEqual(ledger.settlement({ groupsMax: 2, bytesMax: 1_000 }), { next: 4n, groups: groups.slice(0, 2) });
  assert.deepEqual(ledger.settlement({ groupsMax: 9, bytesMax: 1 }), { next: 2n, groups: groups.slice(0, 1) });
  ledger.committedTo(4n);
  assert.equal(ledger.pendingBytes, 100);
  assert.deepEqual(ledger.settlement(), { next: 6n, groups: groups.slice(2) });
});

test('ledger: a message of several offsets is passed as a whole', () => {
  const ledger = new PartitionLedger(0n);
  for (let offset = 0n; offset < 8n; offset += 1n) ledger.open(offset);
  const chunked = failure('chunked');
  ledger.finish([0n]);
  ledger.finish([1n, 4n], [chunked]);
  ledger.finish([2n, 6n]);
  ledger.finish([3n]);
  // 5 is not finished: behind it lies 6, which belongs to 2, which is in the middle of 1 to 4.
  assert.deepEqual(ledger.settlement(), { next: 1n, groups: [] });
  ledger.finish([5n]);
  ledger.finish([7n]);
  assert.deepEqual(ledger.settlement(), { next: 8n, groups: [chunked] });
});

test('the pool: no more at a time than it has places, in turn, and nobody is left waiting', async () => {
  const pool = new HandlerPool(2);
  const never = new AbortController();
  const { signal } = never;
  assert.deepEqual([await pool.acquire(signal), await pool.acquire(signal)], [true, true]);
  const third = pool.acquire(signal);
  const gone = new AbortController();
  const fourth = pool.acquire(gone.signal);
  const fifth = pool.acquire(signal);
  gone.abort();
  assert.equal(await fourth, false);
  pool.release();
  assert.equal(await third, true);
  pool.release();
  assert.equal(await fifth, true);
  pool.release();
  pool.release();
  assert.equal(await pool.acquire(signal), true);
});
