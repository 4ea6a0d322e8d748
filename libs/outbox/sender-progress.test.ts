/** Progress of a sender: only rows that Kafka has, or a look that finds none, make a fault that lasts look like one that is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress, RelayError, systemClock } from '#runtime';
import { createFakeStore, FakeKafka, FakeOutboxTables, testSender, until } from '#testkit';
import type { SenderEvent } from './events.ts';
import { type KafkaPort, Sender } from './index.ts';
import { outboxId } from './lane.ts';

const DEADLINE_MS = 10_000;

/** Rows wait, and Kafka takes everything but them: sessions, markers, fences. */
async function scene(rows: number) {
  const kafka = new FakeKafka();
  kafka.createTopic('t');
  kafka.createTopic('markers');
  const store = createFakeStore({ tables: new FakeOutboxTables(systemClock) });
  await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const { epoch } = await store.writer.beginTerm('s', 'w');
  let sequence = 1;
  const append = async (count: number) => {
    const messages = Array.from({ length: count }, (_, at) => ({
      ...{ id: outboxId(0, sequence + at), eventId: `s:${sequence + at}`, topic: 't' },
      ...{ key: null, value: Buffer.from('{}'), headers: null },
    }));
    const next = { position: BigInt(sequence + count), gaps: { put: [], drop: [] }, nextSequence: sequence + count };
    const request = { source: 's', epoch, expectedNextSequence: sequence, next, messages };
    assert.equal(await store.writer.append(request), 'committed');
    sequence += count;
  };
  if (rows > 0) await append(rows);
  const world = { takesRows: false };
  const port = kafka.port({ transactional: true });
  const failing: KafkaPort = Object.assign(Object.create(port), {
    open: async (...args: Parameters<KafkaPort['open']>) => {
      const session = await port.open(...args);
      const transact: typeof session.transact = async (records, markers) => {
        if (records.length > 0 && !world.takesRows) throw new RelayError('KAFKA_UNREACHABLE', 'timed out');
        return session.transact(records, markers);
      };
      return Object.assign(Object.create(session), { transact });
    },
  });
  const events: SenderEvent[] = [];
  const progress = new Progress();
  const sender = new Sender(
    testSender({
      ...{ store: store.sender, kafka: failing, markerSettleMs: 5_000 },
      // So often that one is written between any two attempts.
      markerRefreshMs: 2,
      progress,
      onEvent: (event) => events.push(event),
    }),
  );
  const stop = new AbortController();
  const running = sender.run(stop.signal);
  const attempts = () => events.flatMap((event) => (event.kind === 'sender-retry' ? [event.attempt] : []));
  const end = async () => {
    stop.abort();
    await running;
  };
  return { kafka, world, events, progress, attempts, append, end };
}

test('sessions that open and markers that are written do not begin the count of attempts anew', async () => {
  const { kafka, world, events, progress, attempts, append, end } = await scene(3);
  try {
    await until('six attempts', () => attempts().length >= 6, DEADLINE_MS);
    assert.deepEqual(attempts().slice(0, 6), [1, 2, 3, 4, 5, 6]);
    assert.ok(events.filter(({ kind }) => kind === 'session-opened').length > 3, 'each under a fresh session');
    assert.equal(progress.lastFault?.cause, 'kafka-unreachable');
    assert.ok(progress.standingMs(systemClock.nowMs()) > 0);
    world.takesRows = true;
    await until('the rows', () => kafka.committed('t').length === 3, DEADLINE_MS);
    await until('idle', () => progress.standingMs(systemClock.nowMs()) === 0, DEADLINE_MS);
    assert.deepEqual([progress.faults, progress.lastFault], [0, null]);
    world.takesRows = false;
    const before = attempts().length;
    await append(1);
    await until('a fault anew', () => attempts().length > before, DEADLINE_MS);
    assert.equal(attempts()[before], 1, 'rows moved in between');
  } finally {
    world.takesRows = true;
    await end();
  }
});

test('a sender that Kafka does not answer lets its lanes go and stays known to live', async () => {
  const tables = new FakeOutboxTables(systemClock);
  const store = createFakeStore({ tables });
  const kafka = new FakeKafka();
  const open = async () => {
    throw new RelayError('KAFKA_UNREACHABLE', 'no broker');
  };
  const sender = new Sender(
    testSender({
      ...{ store: store.sender, markerSettleMs: 5_000, leaseMs: 30, tickMs: 5 },
      kafka: Object.assign(Object.create(kafka.port({ transactional: true })), { open }),
    }),
  );
  const stop = new AbortController();
  const running = sender.run(stop.signal);
  const kinds = () => [...tables.members.values()].map(({ kind }) => kind);
  try {
    await until('it is counted', () => kinds().includes('sender'), DEADLINE_MS);
    await until('it waits', () => kinds().join() === 'waiting', DEADLINE_MS);
  } finally {
    stop.abort();
    await running;
  }
  assert.deepEqual(kinds(), []);
});
