/** The Kafka contract where something goes wrong: atomicity, fencing, row faults and world faults. */
import assert from 'node:assert/strict';
import { RelayError } from '#runtime';
import type { KafkaGate } from '../fakes/kafka-port.ts';
import { uniqueName } from '../unique-name.ts';
import { until } from '../until.ts';
import { type Check, failAt, marker, numbered, numbersOf, record, rejection } from './kafka-contract-scene.ts';

const SETTLES_WITHIN_MS = 10_000;

export function checkAtomicity(check: Check): void {
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

export function checkFencing(check: Check): void {
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

export function checkSettling(check: Check): void {
  check(
    'what a producer had acknowledged does not count as written for good once it is fenced (I4, I6)',
    async (scene) => {
      const topic = await scene.world.createTopic(1);
      const port = scene.port();
      const session = await port.open(scene.id);
      await session.transact(numbered(topic, 0, 5), [marker(scene.lane, 4)]);
      const settled = async () => (await port.settledMarkers('lane', [scene.lane]))?.get(scene.lane);
      await until('the marker is written for good', async () => (await settled()) === 4, SETTLES_WITHIN_MS);
      await session.transact(numbered(topic, 5, 5), [marker(scene.lane, 9)]);
      const stranger = scene.port();
      await stranger.fence(scene.id);
      assert.equal((await stranger.readMarkers('lane', [scene.lane])).get(scene.lane), 9);
      for (let look = 0; look < 3; look += 1) assert.notEqual(await settled(), 9);
      await session.close();
      // Who it is under now has looked at what became of it.
      await port.open(scene.id);
      assert.equal(await settled(), 9);
    },
  );

  check('a marker written again as it was is not settled until that commit is (I8)', async (scene) => {
    const port = scene.port();
    const session = await port.open(scene.id);
    const settled = async () => (await port.settledMarkers('lane', [scene.lane]))?.get(scene.lane) ?? -1;
    await session.transact([], [marker(scene.lane, 4)]);
    await until('the marker is written for good', async () => (await settled()) === 4, SETTLES_WITHIN_MS);
    await session.transact([], [marker(scene.lane, 4)]);
    // Fenced at once, so that it cannot settle on the way.
    await scene.port().fence(scene.id);
    assert.ok((await settled()) < 4);
  });
}

export function checkFaults(check: Check): void {
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
    assert.deepEqual(port.scopeOf(fault), { topic, partition: 0, targets: [] });
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
    const scope = port.scopeOf(fault);
    assert.deepEqual([scope?.topic, scope?.partition], [missing, null]);
    const targets = scope?.targets.map((each) => [each.topic, each.partition, each.code]);
    assert.deepEqual(targets, [[missing, null, 'KAFKA_TOPIC_MISSING']]);
    assert.equal(session.isIntact(), true, 'nothing was begun');
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
