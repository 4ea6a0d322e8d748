/** Codes and classes, never texts, decide what a Kafka fault means. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { faultOfCode, faultOfThrown, type Step } from './fault-table.ts';

const require = createRequire(import.meta.url);
const errors = require('kafkajs/src/errors');
const { createErrorFromCode, errorCodes } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
  errorCodes: readonly { readonly code: number }[];
};

const expectCode = (step: Step, codes: readonly number[], expected: string) => {
  for (const code of codes) assert.equal(faultOfCode(code, { step }).code, expected, `code ${code} at ${step}`);
};

test('row faults, world faults and fences are told apart', () => {
  expectCode('send', [2, 10, 17, 18, 87], 'KAFKA_RECORD_REFUSED');
  expectCode('send', [29, 30, 31, 53, 58], 'KAFKA_REFUSED');
  expectCode('send', [3, 100], 'KAFKA_TOPIC_MISSING');
  expectCode('send', [5, 6, 7, 14, 15, 16, 19, 20, 32, 56, 89], 'KAFKA_UNREACHABLE');
  expectCode('markers', [47, 52, 90], 'KAFKA_FENCED');
  expectCode('init', [50], 'CONFIG_INVALID');
});

test('after a commit was sent only a fence is certain', () => {
  expectCode('commit', [47, 90], 'KAFKA_FENCED');
  expectCode('commit', [7, 10, 14, 29, 48, 120, 9999], 'KAFKA_OUTCOME_UNKNOWN');
});

test('a code nobody knows stops us, unless records may be on their way', () => {
  expectCode('init', [9999], 'INTERNAL');
  expectCode('send', [9999], 'KAFKA_OUTCOME_UNKNOWN');
  assert.equal(faultOfCode(9999, { step: 'send' }).details.type, 'code 9999');
});

test("kafkajs's wrappers are opened", () => {
  const inner = createErrorFromCode(29);
  const wrapped = new errors.KafkaJSNumberOfRetriesExceeded(inner, { retryCount: 3, retryTime: 10 });
  assert.equal(faultOfThrown(wrapped, { step: 'connect' }).code, 'KAFKA_REFUSED');
  const nonRetriable = new errors.KafkaJSNonRetriableError(inner, { cause: inner });
  assert.equal(faultOfThrown(nonRetriable, { step: 'connect' }).code, 'KAFKA_REFUSED');
});

test('connections, deadlines and trust', () => {
  const thrown = (error: unknown, step: Step) => faultOfThrown(error, { step }).code;
  const closed = new errors.KafkaJSConnectionClosedError('closed', { host: 'h', port: 1 });
  assert.equal(thrown(closed, 'send'), 'KAFKA_UNREACHABLE');
  assert.equal(thrown(closed, 'commit'), 'KAFKA_OUTCOME_UNKNOWN');
  assert.equal(thrown(new errors.KafkaJSRequestTimeoutError('late'), 'commit'), 'KAFKA_OUTCOME_UNKNOWN');
  assert.equal(thrown(new errors.KafkaJSSASLAuthenticationError('no'), 'connect'), 'KAFKA_REFUSED');
  for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    assert.equal(thrown(new errors.KafkaJSConnectionError('tls', { code }), 'connect'), 'KAFKA_REFUSED');
  }
  const late = new RelayError('DEADLINE_EXCEEDED', 'late');
  assert.equal(thrown(late, 'commit'), 'KAFKA_OUTCOME_UNKNOWN');
  assert.equal(thrown(late, 'send'), 'KAFKA_UNREACHABLE');
  assert.equal(thrown(new TypeError('bug'), 'connect'), 'INTERNAL');
});

test('every retriable-looking code of kafkajs has a place in the table', () => {
  // Codes of APIs we never call stay unknown on purpose: they would be a surprise, and surprises stop us.
  const retriable = (errorCodes as readonly { code: number; retriable: boolean }[]).filter((each) => each.retriable);
  const ofOtherApis = [57, 70, 71, 77, 80, 83, 84];
  for (const { code } of retriable) {
    if (ofOtherApis.includes(code)) continue;
    assert.notEqual(faultOfCode(code, { step: 'init' }).code, 'INTERNAL', `code ${code}`);
  }
});
