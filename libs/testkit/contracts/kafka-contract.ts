/** What every KafkaPort must do, run on the fake and on a real broker: the ground under I4, I5 and I6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryRecord, KafkaPort, MarkerWrite, ProducerSession } from '#outbox';
import { murmur2 } from '#outbox';
import { RelayError } from '#runtime';
import type { KafkaGate } from '../fakes/kafka.ts';
import { assertOrderPerKey } from '../oracles.ts';
import { uniqueName } from '../unique-name.ts';

export interface SeenRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClosablePort extends KafkaPort {
  close(): Promise<void>;
}

/** One deployment: a prefix with a marker topic of `markerPartitions`. Tests share it and use lanes of their own. */
export interface KafkaWorld {
  readonly markerPartitions: number;
  /** A value of this many bytes is refused. */
  readonly tooLargeBytes: number;
  port(options?: { readonly gate?: KafkaGate; readonly transactional?: boolean }): ClosablePort;
  createTopic(partitions: number): Promise<string>;
  /** As a read_committed reader sees it, by partition and offset. */
  committed(topic: string): Promise<readonly SeenRecord[]>;
}

export interface KafkaHarness {
  readonly name: string;
  /** Called in the first test; closing is the harness's own matter. */
  world(): Promise<KafkaWorld>;
}

interface Scene {
  readonly world: KafkaWorld;
  /** A transactional id nobody else uses. */
  readonly id: string;
  /** A lane nobody else uses. */
  readonly lane: number;
  /** Closed after the test, and the sessions opened on it. */
  port(options?: Parameters<KafkaWorld['port']>[0]): KafkaPort;
}

type Check = (title: string, body: (scene: Scene) => Promise<void>) => void;

const record = (topic: string, number: number, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  topic,
  key: Buffer.from(`key-${number % 7}`),
  value: Buffer.from(`{"n":${number}}`),
  headers: { id: `orders:${number}`, 'outbox-id': String(number), source: 'orders', lane: '0' },
  spread: number,
  size: 100,
  ...changes,
});

const numbered = (topic: string, from: number, count: number): DeliveryRecord[] =>
  Array.from({ length: count }, (_, index) => record(topic, from + index));

const marker = (lane: number, value: number, kind: 'lane' | 'retry' = 'lane'): MarkerWrite => ({
  kind,
  lane,
  value,
});

const numbersOf = (seen: readonly SeenRecord[]): number[] =>
  seen.map(({ headers }) => Number(headers['outbox-id'])).sort((a, b) => a - b);

async function rejection(work: Promise<unknown>): Promise<RelayError> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof RelayError, `expected a RelayError, got ${String(outcome)}`);
  return outcome;
}

/** A gate that fails, as a lost reply or a crash would, at one place the first time it is passed. */
function failAt(place: string): KafkaGate {
  let armed = true;
  return async (name) => {
    if (name !== place || !armed) return;
    armed = false;
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', `failed at ${place}`);
  };
}

/** Registers the tests. */
export function kafkaContract(harness: KafkaHarness): void {
  let worlds: Promise<KafkaWorld> | null = null;
  let lanes = 0;
  const check: Check = (title, body) =>
    test(`${harness.name}: ${title}`, async () => {
      worlds ??= harness.world();
      const world = await worlds;
      const ports: ClosablePort[] = [];
      const sessions: ProducerSession[] = [];
      const scene: Scene = {
        world,
        id: uniqueName('contract'),
        lane: lanes++,
        port: (options) => {
          const port = world.port(options);
          ports.push(port);
          const open = async (id: string): Promise<ProducerSession> => {
            const session = await port.open(id);
            sessions.push(session);
            return session;
          };
          return { ...port, open };
        },
      };
      try {
        await body(scene);
      } finally {
        // A test that fails half-way must not keep the process alive by its sockets.
        await Promise.all([...sessions, ...ports].map((each) => each.close()));
      }
    });
  checkDelivery(check);
  checkAtomicity(check);
  checkFencing(check);
  checkFaults(check);
  checkMarkers(check);
  checkWeakMode(check);
}

function checkDelivery(check: Check): void {
  check('records arrive whole, each at the partition of its key, in order per key (I5)', async (scene) => {
    const topic = await scene.world.createTopic(3);
    const session = await scene.port().open(scene.id);
    await session.transact(numbered(topic, 0, 100), [marker(scene.lane, 99)]);
    await session.transact(numbered(topic, 100, 100), [marker(scene.lane, 199)]);
    await session.close();
    const seen = await scene.world.committed(topic);
    assert.deepEqual(
      numbersOf(seen),
      Array.from({ length: 200 }, (_, index) => index),
    );
    for (const { key, partition, value, headers } of seen) {
      const number = Number(headers['outbox-id']);
      assert.deepEqual(headers, record(topic, number).headers);
      assert.deepEqual(value, record(topic, number).value);
      assert.equal(partition, (murmur2(Buffer.from(key ?? '')) & 0x7fffffff) % 3);
    }
    assertOrderPerKey(
      seen,
      ({ key }) => key,
      ({ headers }) => Number(headers['outbox-id']),
    );
  });

  check('one transaction spans topics; null key, null value and UTF-8 headers survive', async (scene) => {
    const [plain, odd] = [await scene.world.createTopic(1), await scene.world.createTopic(3)];
    const headers = { 'outbox-id': '2', source: 'bestellungen-ü-🚀', empty: '' };
    const session = await scene.port().open(scene.id);
    await session.transact(
      [
        record(plain, 0),
        record(odd, 1, { key: null, spread: 4 }),
        record(plain, 2, { value: null, headers }),
        record(odd, 3, { key: Buffer.alloc(0), value: Buffer.alloc(0) }),
      ],
      [marker(scene.lane, 3)],
    );
    await session.close();
    const [first, second] = await scene.world.committed(plain);
    assert.deepEqual(first?.value, record(plain, 0).value);
    assert.deepEqual([second?.value, second?.headers], [null, headers]);
    const others = await scene.world.committed(odd);
    const keyless = others.find(({ key }) => key === null);
    assert.equal(keyless?.partition, 4 % 3, 'without a key the partition is spread % n');
    assert.deepEqual(others.find(({ key }) => key === '')?.value, Buffer.alloc(0));
  });

  check('nothing to say is nothing to send', async (scene) => {
    const session = await scene.port().open(scene.id);
    await session.transact([], []);
    await session.close();
  });
}

function checkAtomicity(check: Check): void {
  for (const place of ['after:send', 'after:markers', 'before:commit']) {
    check(`a failure ${place.replace(':', ' ')} leaves neither records nor markers (I4, I6)`, async (scene) => {
      const topic = await scene.world.createTopic(2);
      const session = await scene.port({ gate: failAt(place) }).open(scene.id);
      const fault = await rejection(session.transact(numbered(topic, 0, 10), [marker(scene.lane, 9)]));
      assert.equal(fault.code, 'KAFKA_OUTCOME_UNKNOWN');
      const port = scene.port();
      const next = await port.open(scene.id);
      assert.equal((await port.readMarkers('lane', [scene.lane])).get(scene.lane), -1);
      await session.close();
      await next.transact(numbered(topic, 10, 10), [marker(scene.lane, 19)]);
      await next.close();
      const expected = Array.from({ length: 10 }, (_, index) => index + 10);
      assert.deepEqual(numbersOf(await scene.world.committed(topic)), expected);
    });
  }

  check('a commit whose answer was lost is told by the marker (I4)', async (scene) => {
    const topic = await scene.world.createTopic(2);
    const session = await scene.port({ gate: failAt('after:commit') }).open(scene.id);
    await rejection(session.transact(numbered(topic, 0, 10), [marker(scene.lane, 9)]));
    await session.close();
    const port = scene.port();
    const next = await port.open(scene.id);
    assert.equal((await port.readMarkers('lane', [scene.lane])).get(scene.lane), 9);
    await next.close();
    assert.equal((await scene.world.committed(topic)).length, 10);
  });

  check('closing after a fault ends the transaction, so that readers do not wait for it', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const other = await scene.port().open(uniqueName('contract'));
    const session = await scene.port({ gate: failAt('before:commit') }).open(scene.id);
    await rejection(session.transact(numbered(topic, 0, 1), [marker(scene.lane, 1)]));
    await other.transact(numbered(topic, 1, 1), []);
    await session.close();
    await other.close();
    assert.deepEqual(numbersOf(await scene.world.committed(topic)), [1]);
  });
}

function checkFencing(check: Check): void {
  check('a producer opened again fences the older one: its send is refused (I4)', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const zombie = await scene.port().open(scene.id);
    await zombie.transact(numbered(topic, 0, 5), [marker(scene.lane, 4)]);
    const port = scene.port();
    const taker = await port.open(scene.id);
    const fault = await rejection(zombie.transact(numbered(topic, 5, 5), [marker(scene.lane, 9)]));
    assert.equal(fault.code, 'KAFKA_FENCED');
    assert.equal((await port.readMarkers('lane', [scene.lane])).get(scene.lane), 4);
    await taker.transact(numbered(topic, 5, 5), [marker(scene.lane, 9)]);
    await Promise.all([zombie.close(), taker.close()]);
    assert.deepEqual(numbersOf(await scene.world.committed(topic)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  check('a stranger fences a paused producer in front of its commit (I4)', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const { promise: paused, resolve: pause } = Promise.withResolvers<void>();
    const { promise: resumed, resolve: resume } = Promise.withResolvers<void>();
    const gate: KafkaGate = async (name) => {
      if (name !== 'before:commit') return;
      pause();
      await resumed;
    };
    const zombie = await scene.port({ gate }).open(scene.id);
    const sending = rejection(zombie.transact(numbered(topic, 0, 5), [marker(scene.lane, 4)]));
    await paused;
    const stranger = scene.port();
    await stranger.fence(scene.id);
    assert.equal((await stranger.readMarkers('lane', [scene.lane])).get(scene.lane), -1);
    resume();
    assert.equal((await sending).code, 'KAFKA_FENCED');
    await zombie.close();
    assert.equal((await scene.world.committed(topic)).length, 0);
    assert.equal((await stranger.readMarkers('lane', [scene.lane])).get(scene.lane), -1);
  });

  check('fencing an id nobody uses is fine, and twice as well', async (scene) => {
    const port = scene.port();
    await port.fence(scene.id);
    await port.fence(scene.id);
  });
}

function checkFaults(check: Check): void {
  check('a record too large is a row fault that names its partition; the next session works', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const port = scene.port();
    const session = await port.open(scene.id);
    const large = record(topic, 1, { value: Buffer.alloc(scene.world.tooLargeBytes) });
    const fault = await rejection(
      session.transact([record(topic, 0), large, record(topic, 2)], [marker(scene.lane, 2)]),
    );
    assert.equal(fault.code, 'KAFKA_RECORD_REFUSED');
    assert.equal(fault.verdict, 'row-fault');
    assert.deepEqual(port.scopeOf(fault), { topic, partition: 0 });
    await session.close();
    const next = await port.open(scene.id);
    await next.transact([record(topic, 0), record(topic, 2)], [marker(scene.lane, 2)]);
    await next.close();
    assert.deepEqual(numbersOf(await scene.world.committed(topic)), [0, 2]);
  });

  check('a missing topic is a world fault that names it; nothing of the transaction is seen', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const missing = uniqueName('missing');
    const port = scene.port();
    const session = await port.open(scene.id);
    const fault = await rejection(session.transact([record(topic, 0), record(missing, 1)], [marker(scene.lane, 1)]));
    assert.equal(fault.code, 'KAFKA_TOPIC_MISSING');
    assert.equal(fault.verdict, 'retry');
    assert.deepEqual(port.scopeOf(fault), { topic: missing, partition: null });
    await session.close();
    assert.equal((await scene.world.committed(topic)).length, 0);
  });

  check('a session is dead after its first fault, and closing twice is fine', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const session = await scene.port({ gate: failAt('before:send') }).open(scene.id);
    await rejection(session.transact(numbered(topic, 0, 1), []));
    assert.equal((await rejection(session.transact(numbered(topic, 0, 1), []))).code, 'INTERNAL');
    await session.close();
    await session.close();
    assert.equal((await rejection(session.transact(numbered(topic, 0, 1), []))).code, 'INTERNAL');
  });

  check('a fault without a topic has no scope', async (scene) => {
    const port = scene.port();
    assert.equal(port.scopeOf(new RelayError('KAFKA_UNREACHABLE', 'away')), null);
    assert.equal(port.scopeOf(new Error('something else')), null);
  });
}

function checkMarkers(check: Check): void {
  check('a marker never written is -1; one alone can be written; large ids are exact', async (scene) => {
    const port = scene.port();
    const session = await port.open(scene.id);
    assert.deepEqual(await port.readMarkers('lane', [scene.lane]), new Map([[scene.lane, -1]]));
    await session.transact([], [marker(scene.lane, Number.MAX_SAFE_INTEGER)]);
    await session.transact([], [marker(scene.lane, Number.MAX_SAFE_INTEGER - 1)]);
    await session.close();
    const read = await port.readMarkers('lane', [scene.lane]);
    assert.deepEqual(read, new Map([[scene.lane, Number.MAX_SAFE_INTEGER - 1]]));
  });

  check('lane markers and retry tokens do not touch each other', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const port = scene.port();
    const session = await port.open(scene.id);
    await session.transact([], [marker(scene.lane, 41), marker(scene.lane, 1, 'retry')]);
    await session.transact([record(topic, 0)], [marker(scene.lane, 2, 'retry')]);
    await session.close();
    assert.equal((await port.readMarkers('lane', [scene.lane])).get(scene.lane), 41);
    assert.equal((await port.readMarkers('retry', [scene.lane])).get(scene.lane), 2);
  });

  check('a lane beyond the marker topic is KAFKA_TOPIC_MISSING, to read and to write', async (scene) => {
    const beyond = scene.world.markerPartitions;
    const port = scene.port();
    assert.equal((await rejection(port.readMarkers('lane', [scene.lane, beyond]))).code, 'KAFKA_TOPIC_MISSING');
    const session = await port.open(scene.id);
    assert.equal((await rejection(session.transact([], [marker(beyond, 1)]))).code, 'KAFKA_TOPIC_MISSING');
    await session.close();
    assert.deepEqual(await port.readMarkers('lane', []), new Map());
  });
}

function checkWeakMode(check: Check): void {
  check('the at-least-once mode says so, delivers, and has no markers', async (scene) => {
    const topic = await scene.world.createTopic(2);
    const port = scene.port({ transactional: false });
    await port.fence(scene.id);
    const session = await port.open(scene.id);
    assert.equal(session.transactional, false);
    await session.transact(numbered(topic, 0, 20), [marker(scene.lane, 19)]);
    await session.close();
    assert.equal((await rejection(port.readMarkers('lane', [scene.lane]))).code, 'INTERNAL');
    assert.equal((await scene.world.committed(topic)).length, 20);
    assert.equal((await scene.port().readMarkers('lane', [scene.lane])).get(scene.lane), -1);
  });
}
