/**
 * A broker that does not let us in has not said that we lack a right: what cannot be known now is asked again, and nothing is
 * taken for settled, standing or unseen meanwhile (I4).
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { RelayError, silentLogger } from '#runtime';
import { isUndecided } from './acknowledged.ts';
import { askClock } from './ask-clock.ts';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import { endLeftovers } from './end-leftovers.ts';
import { faultOfThrown } from './fault-table.ts';
import { findLanded } from './find-landed.ts';
import { isStanding } from './is-standing.ts';
import { settingsFrom } from './kafka-options.ts';
import type { WireRequest } from './wire/request.ts';

const errors = createRequire(import.meta.url)('kafkajs/src/errors');
const TOPIC_AUTHORIZATION_FAILED = 29;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
const identity = { transactionalId: 'p.a', producerId: 7, producerEpoch: 0 };
const settings = settingsFrom({
  brokers: ['h:1'],
  clientId: 'c',
  logger: silentLogger,
  prefix: 'p',
  outboxTable: 'outbox',
});

type Answers = Readonly<Record<string, () => unknown>>;

const refuseLogin = () => {
  throw new errors.KafkaJSSASLAuthenticationError('SASL SCRAM SHA512 authentication failed');
};

/** One broker that leads everything. */
function brokersWith(answers: Answers): Brokers {
  const ask = async <Answer>({ name }: WireRequest<Answer>) => {
    const answer = answers[name];
    assert.ok(answer, `nobody expected ${name}`);
    return answer() as Answer;
  };
  const link = { ask } as BrokerLink;
  const topics = [{ topic: 't', code: 0, partitions: [{ partition: 0, code: 0, leader: 1 }] }];
  return {
    any: async () => link,
    describe: async () => ({ brokers: [], controller: 1, topics }),
    topicIds: async () => new Map(),
    node: async () => link,
    coordinator: async () => ({ code: 0, link }),
    forgetCoordinators: () => undefined,
    answers: async () => true,
    hasThrottled: () => false,
    throttle: () => null,
    close: async () => undefined,
  };
}

const isRefused = (error: unknown) => faultOfThrown(error, { step: 'read' }).code === 'KAFKA_REFUSED';

const questions: readonly {
  readonly what: string;
  readonly api: string;
  readonly denied: () => unknown;
  /** What is answered to those who may not know. */
  readonly fallback: unknown;
  readonly ask: (brokers: Brokers) => Promise<unknown>;
}[] = [
  {
    what: 'whether a producer still stands',
    api: 'DescribeTransactions',
    denied: () => ({ code: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, transactions: [] }),
    fallback: true,
    ask: (brokers) => isStanding(brokers, settings, identity),
  },
  {
    what: 'whether records are still undecided',
    api: 'DescribeProducers',
    denied: () => [{ topic: 't', partition: 0, code: TOPIC_AUTHORIZATION_FAILED, producers: [] }],
    fallback: false,
    ask: (brokers) => isUndecided(brokers, identity.producerId, [{ topic: 't', partition: 0, end: 9 }]),
  },
  {
    what: 'what a transaction that is over has left open',
    api: 'DescribeProducers',
    denied: () => [{ topic: 't', partition: 0, code: TOPIC_AUTHORIZATION_FAILED, producers: [] }],
    fallback: undefined,
    ask: async (brokers) => {
      const unseen = await endLeftovers({ brokers, settings, topics: new Set(['t']), groups: [] }, identity);
      assert.deepEqual(unseen, []);
    },
  },
  {
    what: 'what of a torn transaction arrived',
    api: 'DescribeProducers',
    denied: () => [{ topic: 't', partition: 0, code: TOPIC_AUTHORIZATION_FAILED, producers: [] }],
    fallback: null,
    ask: (brokers) =>
      findLanded(
        { brokers, settings, topics: new Set(['t']) },
        { producers: new Map([[7, 'id']]), lanes: new Set([0]), notes: new Map(), unseen: new Set() },
      ),
  },
  {
    what: "the brokers' time",
    api: 'DescribeTransactions',
    denied: () => ({ code: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, transactions: [] }),
    fallback: null,
    ask: (brokers) => askClock(brokers, settings, identity, ['g']),
  },
];

const others: Answers = {
  ListOffsets: () => [{ partition: 0, code: 0, offset: 0 }],
  AddOffsetsToTxn: () => ({ code: 0 }),
  EndTxn: () => ({ code: 0 }),
};

for (const { what, api, denied, fallback, ask } of questions) {
  describe(`${what}`, () => {
    test('is not known without the right, and that is lived with', async () => {
      assert.equal(await ask(brokersWith({ ...others, [api]: denied })), fallback);
    });

    test('is not known to an old broker, and that is lived with', async () => {
      const tooOld = () => {
        throw new RelayError('KAFKA_UNSUPPORTED', 'no such request');
      };
      assert.equal(await ask(brokersWith({ ...others, [api]: tooOld })), fallback);
    });

    test('is asked again after a login that was refused', async () => {
      await assert.rejects(ask(brokersWith({ ...others, [api]: refuseLogin })), isRefused);
    });
  });
}
