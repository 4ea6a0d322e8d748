/** On a real broker: a topic is deleted and made anew under a consumer. Every record of the new one is handled. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createGroupTransactions } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { ChangingTopics, handledAll, numbered, until } from '#testkit';
import { type ConsumedMessage, type ConsumerOptions, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 40_000;
let topics: ChangingTopics;

before(async () => {
  topics = await ChangingTopics.open();
});

after(() => topics?.close());

const scene = async (more: Partial<ConsumerOptions> = {}, partitions = 1, rule: object = {}) => {
  const made = await topics.scene(partitions);
  const [own] = made.options.topics;
  return { ...made, options: { ...made.options, topics: [{ ...own, ...rule }], ...more } as ConsumerOptions };
};
const text = ({ value }: ConsumedMessage): string => String(value);

type Consumer = ReturnType<typeof createRetriableConsumer>;

async function running(options: ConsumerOptions, work: (consumer: Consumer) => Promise<unknown>): Promise<void> {
  const consumer = createRetriableConsumer(options);
  try {
    await consumer.start();
    await work(consumer);
  } finally {
    await consumer.stop();
  }
}

const anewOf = ({ said, base }: Pick<Awaited<ReturnType<typeof scene>>, 'said' | 'base'>) =>
  said.filter(({ event, topic: of }) => event === 'topic-made-anew' && of === base);

test('between two polls: no record of the new topic is passed over, and it is said once', async () => {
  const at = await scene();
  const [old, fresh] = [numbered(0, 100, 'old'), numbered(0, 110, 'new')];
  await running(at.options, async () => {
    await topics.send(at.base, old);
    await handledAll(at.seen, old);
    await topics.remake(at.base);
    await topics.send(at.base, fresh);
    await handledAll(at.seen, fresh);
  });
  assert.equal(anewOf(at).length, 1);
});

test('as many records as before: the old position is the end of the new topic', async () => {
  const at = await scene();
  const [old, fresh] = [numbered(0, 100, 'old'), numbered(0, 100, 'new')];
  await running(at.options, async () => {
    await topics.send(at.base, old);
    await handledAll(at.seen, old);
    await topics.remake(at.base);
    await topics.send(at.base, fresh);
    await handledAll(at.seen, fresh);
  });
});

test('while the handler runs: its offset of the old topic is committed late, and does not count for the new one', async () => {
  const gate = Promise.withResolvers<void>();
  const at = await scene({
    handler: async (message) => {
      at.seen.push(text(message));
      if (text(message) === 'old-99') await gate.promise;
    },
  });
  const [old, fresh] = [numbered(0, 100, 'old'), numbered(0, 110, 'new')];
  await running(at.options, async () => {
    await topics.send(at.base, old);
    await handledAll(at.seen, old);
    await topics.remake(at.base);
    await topics.send(at.base, fresh);
    gate.resolve();
    await handledAll(at.seen, fresh);
  });
});

test('stopped with a handler running: the late commit outlives the process, and the next one begins at 0 all the same', async () => {
  const gate = Promise.withResolvers<void>();
  const at = await scene({
    handler: async (message) => {
      at.seen.push(text(message));
      if (text(message) === 'old-99') await gate.promise;
    },
  });
  const [old, fresh] = [numbered(0, 100, 'old'), numbered(0, 110, 'new')];
  await running(at.options, async (consumer) => {
    await topics.send(at.base, old);
    await handledAll(at.seen, old);
    await topics.remake(at.base);
    const stopped = consumer.stop();
    gate.resolve();
    await stopped;
  });
  assert.equal(
    await topics.committed(at.options.groupId, at.base),
    100,
    'the old offset is there: this test is about it',
  );
  await topics.send(at.base, fresh);
  await running(at.options, () => handledAll(at.seen, fresh));
  assert.equal(anewOf(at).length, 1);
  const again: string[] = [];
  await topics.send(at.base, ['end']);
  await running({ ...at.options, handler: (message) => void again.push(text(message)) }, () =>
    handledAll(again, ['end']),
  );
  assert.deepEqual(again, ['end'], 'what is handled of the new topic stays handled');
});

test('missing for a while: unhealthy, said, other topics go on, and it goes on when it is back', async () => {
  const other = await scene();
  const [old, fresh] = [numbered(0, 100, 'old'), numbered(0, 110, 'new')];
  const at = await scene();
  const options = { ...at.options, topics: [...at.options.topics, ...other.options.topics] };
  await running(options, async (consumer) => {
    await topics.send(at.base, old);
    await handledAll(at.seen, old);
    await topics.drop(at.base);
    await until('bad health', () => !consumer.health().healthy, DEADLINE_MS);
    assert.deepEqual(consumer.health().reasons, [`topic ${at.base}: does not exist`]);
    await topics.send(other.base, numbered(0, 50, 'other'));
    await handledAll(at.seen, numbered(0, 50, 'other'));
    await topics.make(at.base);
    await topics.send(at.base, fresh);
    await handledAll(at.seen, fresh);
    await until('good health', () => consumer.health().healthy, DEADLINE_MS);
  });
  assert.deepEqual(
    at.said.filter(({ topic: of }) => of === at.base).map(({ event }) => event).filter((event) => event !== 'topic-there'), // biome-ignore format: one line
    ['topic-missing', 'topic-made-anew'],
  );
});

test('deleted, stopped, made anew, started; made anew a second time with fewer partitions, then with more', async () => {
  const at = await scene({}, 3);
  await running(at.options, async () => {
    await topics.send(at.base, numbered(0, 120, 'a'), 3);
    await handledAll(at.seen, numbered(0, 120, 'a'));
    await topics.drop(at.base);
  });
  await topics.make(at.base, 2);
  await topics.send(at.base, numbered(0, 130, 'b'), 2);
  await running(at.options, async () => {
    await handledAll(at.seen, numbered(0, 130, 'b'));
    await topics.remake(at.base, 1);
    await topics.send(at.base, numbered(0, 90, 'c'));
    await handledAll(at.seen, numbered(0, 90, 'c'));
    await topics.remake(at.base, 4);
    await topics.send(at.base, numbered(0, 200, 'd'), 4);
    await handledAll(at.seen, numbered(0, 200, 'd'));
  });
});

test('offsets without an id beside them: what lies behind the end of the log is another topic`s, what does not is kept', async () => {
  const at = await scene({ fromBeginning: false }, 2);
  await topics.send(at.base, numbered(0, 60, 'a'), 2);
  const partitions = [{ partition: 0, offset: '31' }, { partition: 1, offset: '20' }]; // biome-ignore format: pairs
  await topics.admin.setOffsets({ groupId: at.options.groupId, topic: at.base, partitions });
  const first = numbered(0, 60, 'a').filter((_, i) => i % 2 === 0);
  const second = numbered(0, 60, 'a').filter((_, i) => i % 2 === 1).slice(20); // biome-ignore format: one line
  await running(at.options, () => handledAll(at.seen, [...first, ...second]));
  assert.deepEqual(at.seen.toSorted(), [...first, ...second].sort());
});

test('begun at the end of a topic: one made anew is read from its beginning', async () => {
  const at = await scene({ fromBeginning: false });
  await topics.send(at.base, numbered(0, 50, 'before'));
  await running(at.options, async () => {
    await until('the beginning', async () => {
      await topics.send(at.base, ['probe']);
      return at.seen.includes('probe');
    }, DEADLINE_MS); // biome-ignore format: one line
    await topics.drop(at.base);
    await topics.make(at.base);
    await topics.send(at.base, numbered(0, 120, 'new'));
    await handledAll(at.seen, numbered(0, 120, 'new'));
  });
  assert.ok(!at.seen.includes('before-0'));
});

test('what retention has taken is not there: the rest is read, from a topic made anew as from an old one', async () => {
  for (const note of ['', `topic-id ${'A'.repeat(22)}`]) {
    const at = await scene({ fromBeginning: false });
    await topics.send(at.base, numbered(0, 60, 'a'));
    await topics.forget(at.base, 30);
    const { brokers, groupId } = at.options;
    const transactions = createGroupTransactions({
      brokers,
      clientId: 't',
      logger: silentLogger,
      transactionalId: groupId,
    });
    const committed = [{ topic: at.base, offsets: [{ partition: 0, offset: 5 }] }];
    await transactions.transact([], { group: groupId, member: null, topics: committed, note });
    await transactions.close();
    await running(at.options, () => handledAll(at.seen, numbered(30, 30, 'a')));
    assert.deepEqual(at.seen, numbered(30, 30, 'a'));
    assert.equal(anewOf(at).length, note === '' ? 0 : 1);
  }
});
