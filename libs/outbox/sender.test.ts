import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#runtime';
import { createFakeStore, FakeKafka, FakeOutboxTables, testSender } from '#testkit';
import type { SenderEvent } from './events.ts';
import { outboxId, pickLane } from './lane.ts';
import { Sender } from './sender.ts';

const ROWS = 12;
const REFUSED = 3;

/** Rows of two keys, one of which Kafka always refuses; runs a sender until every other row is delivered and that one is dead. */
async function deliverAroundRefusedRow(transactional: boolean) {
  const kafka = new FakeKafka();
  kafka.createTopic('t');
  kafka.createTopic('markers');
  kafka.refuses = (record) => record.headers.id === `s:${REFUSED}`;
  const store = createFakeStore({ tables: new FakeOutboxTables(systemClock) });
  const lanes = await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 2 });
  const { epoch } = await store.writer.beginTerm('s', 'w');
  const messages = Array.from({ length: ROWS }, (_, index) => {
    const sequence = index + 1;
    const key = Buffer.from(sequence % 2 === 1 ? 'odd' : 'even');
    const id = outboxId(pickLane(lanes, key, sequence), sequence);
    return { id, eventId: `s:${sequence}`, topic: 't', key, value: Buffer.from('{}'), headers: null };
  });
  const next = { position: BigInt(ROWS), gaps: { put: [], drop: [] }, nextSequence: ROWS + 1 };
  assert.equal(await store.writer.append({ source: 's', epoch, expectedNextSequence: 1, next, messages }), 'committed');
  const stop = new AbortController();
  const events: SenderEvent[] = [];
  const sender = new Sender(
    testSender({
      ...{ store: store.sender, kafka: kafka.port({ transactional }), markerSettleMs: 100 },
      ...{ backoff: { baseMs: 2, maxMs: 5 }, retriesMax: 2, parkedKeysMax: 10, trimRowsMax: 100 },
      onEvent: (event) => {
        events.push(event);
        const dead = events.some(({ kind }) => kind === 'row-dead');
        const arrived = new Set(kafka.committed('t').map((record) => record.headers.id));
        if (dead && arrived.size >= ROWS - 1) stop.abort();
      },
    }),
  );
  await sender.run(AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]));
  return { ids: kafka.committed('t').map((record) => `${record.headers.id}`), events };
}

describe('Sender, around a row that Kafka refuses', () => {
  for (const transactional of [true, false]) {
    it(`delivers every other row once and in order, ${transactional ? 'exactly once' : 'at least once'}`, async () => {
      const { ids, events } = await deliverAroundRefusedRow(transactional);
      const parity = (rest: number) => ids.filter((id) => Number(id.slice(2)) % 2 === rest);
      const expected = (rest: number) =>
        Array.from({ length: ROWS }, (_, index) => index + 1)
          .filter((sequence) => sequence % 2 === rest && sequence !== REFUSED)
          .map((sequence) => `s:${sequence}`);
      // Without transactions what the broker took before it refused stays there: doubled, yet never missing.
      const once = (rest: number) => (transactional ? parity(rest) : [...new Set(parity(rest))]);
      assert.deepEqual(once(0), expected(0));
      assert.deepEqual(once(1), expected(1));
      const asides = events.filter(({ kind }) => kind === 'row-aside');
      assert.equal(asides.length, 1, 'a row set aside is known to be aside');
    });
  }
});
