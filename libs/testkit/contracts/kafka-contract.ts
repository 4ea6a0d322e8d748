/** What every KafkaPort must do, run on the fake and on a real broker: the ground under I4, I5 and I6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KafkaPort, murmur2, type ProducerSession } from '#outbox';
import { assertOrderPerKey } from '../oracles.ts';
import { uniqueName } from '../unique-name.ts';
import { checkAtomicity, checkFaults, checkFencing, checkSettling } from './kafka-contract-faults.ts';
import {
  type Check,
  type ClosablePort,
  type KafkaHarness,
  type KafkaWorld,
  marker,
  numbered,
  numbersOf,
  record,
  rejection,
  type Scene,
} from './kafka-contract-scene.ts';
import { checkTorn } from './kafka-contract-torn.ts';

export type { KafkaHarness, KafkaWorld, SeenRecord } from './kafka-contract-scene.ts';

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
          const open: KafkaPort['open'] = async (id, sentTopics) => {
            const session = await port.open(id, sentTopics);
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
  checkSettling(check);
  checkTorn(check);
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
