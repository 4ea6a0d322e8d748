/** The Kafka contract where a transaction was torn apart (KAFKA-20734): what readers see is told, whatever the marker says. */
import assert from 'node:assert/strict';
import { type DeliveryRecord, type KafkaPort, laneFloor } from '#outbox';
import { uniqueName } from '../unique-name.ts';
import { type Check, failAt, marker, numbered, rejection, type Scene } from './kafka-contract-scene.ts';

const idsOf = (found: readonly number[], { lane }: Scene): number[] =>
  found.map((id) => id - laneFloor(lane)).sort((a, b) => a - b);

/** Records `from` to `from + count - 1` of the scene's lane. */
const rows = (topic: string, { lane }: Scene, from: number, count: number): DeliveryRecord[] =>
  numbered(topic, from, count).map((each, index) => ({
    ...each,
    headers: { ...each.headers, 'outbox-id': String(laneFloor(lane) + from + index) },
  }));

const upTo = (scene: Scene, number: number) => marker(scene.lane, laneFloor(scene.lane) + number);

/** As a sender that takes the lane over: fence, marker, look. */
async function look(scene: Scene, port: KafkaPort, ids: readonly string[], topics: readonly string[] = []) {
  for (const id of ids) await port.fence(id, async () => topics);
  const markers = await port.readMarkers('lane', [scene.lane]);
  const found = await port.findLanded(ids, [scene.lane]);
  assert.ok(found, 'it can be told');
  const marker = markers.get(scene.lane) ?? -1;
  const above = [...found.committed].filter((id) => id > marker);
  const missing = [...found.aborted].filter((id) => id <= marker);
  return { above: idsOf(above, scene), missing: idsOf(missing, scene) };
}

/** Sends them and fails in front of the commit, so that they are aborted. */
async function abort(scene: Scene, records: readonly DeliveryRecord[]): Promise<void> {
  const session = await scene.port({ gate: failAt('before:commit') }).open(scene.id);
  await rejection(session.transact(records, [upTo(scene, 1_000)]));
  await session.close();
}

export function checkTorn(check: Check): void {
  check('where all went well nothing is above the marker and nothing missing below it (I4)', async (scene) => {
    const topic = await scene.world.createTopic(3);
    await abort(scene, rows(topic, scene, 1, 10));
    const port = scene.port();
    const session = await port.open(scene.id);
    await session.transact(rows(topic, scene, 1, 10), [upTo(scene, 10)]);
    await session.transact(rows(topic, scene, 11, 10), [upTo(scene, 20)]);
    assert.deepEqual(await look(scene, port, [scene.id]), { above: [], missing: [] });
    assert.deepEqual(await look(scene, port, [uniqueName('nobody')]), { above: [], missing: [] });
  });

  check('records that readers see are told from those aborted behind the marker (I4)', async (scene) => {
    const topic = await scene.world.createTopic(3);
    const port = scene.port();
    const session = await port.open(scene.id);
    await session.transact(rows(topic, scene, 1, 10), [upTo(scene, 4)]);
    await abort(scene, rows(topic, scene, 11, 5));
    assert.deepEqual(await look(scene, port, [scene.id]), { above: [5, 6, 7, 8, 9, 10], missing: [] });
  });

  check('records that a marker covers and readers do not see are missing (I4)', async (scene) => {
    const topic = await scene.world.createTopic(3);
    await abort(scene, rows(topic, scene, 1, 6));
    const port = scene.port();
    const session = await port.open(scene.id);
    await session.transact(rows(topic, scene, 4, 3), [upTo(scene, 6)]);
    assert.deepEqual(await look(scene, port, [scene.id]), { above: [], missing: [1, 2, 3] });
  });

  check('what somebody else has delivered since is not missing (I4)', async (scene) => {
    const topic = await scene.world.createTopic(2);
    await abort(scene, rows(topic, scene, 1, 6));
    const port = scene.port();
    const taker = await port.open(uniqueName('taker'));
    await taker.transact(rows(topic, scene, 1, 6), [upTo(scene, 6)]);
    assert.deepEqual(await look(scene, port, [scene.id]), { above: [], missing: [] });
  });

  check('a topic that only others know of is looked at once it was told of (I4)', async (scene) => {
    const topic = await scene.world.createTopic(2);
    await abort(scene, rows(topic, scene, 1, 6));
    const session = await scene.port().open(scene.id);
    await session.transact(rows(topic, scene, 4, 5), [upTo(scene, 6)]);
    const stranger = scene.port();
    await stranger.fence(scene.id, async () => []);
    await stranger.readMarkers('lane', [scene.lane]);
    assert.equal(await stranger.findLanded([scene.id], [scene.lane]), null, 'no topic is known');
    await stranger.fence(scene.id, async () => null);
    assert.equal(await stranger.findLanded([scene.id], [scene.lane]), null, 'too many are');
    assert.deepEqual(await look(scene, stranger, [scene.id], [topic]), { above: [7, 8], missing: [1, 2, 3] });
  });

  check('topics are asked for when the one fenced can send nothing more (I4)', async (scene) => {
    const topic = await scene.world.createTopic(1);
    const asked: string[] = [];
    for (const verb of ['fence', 'open'] as const) {
      const session = await scene.port().open(scene.id);
      await session.transact(rows(topic, scene, 1, 1), [upTo(scene, 1)]);
      await scene.port()[verb](scene.id, async () => {
        const { code } = await rejection(session.transact(rows(topic, scene, 2, 1), [upTo(scene, 2)]));
        asked.push(`${verb} ${code}`);
        return [topic];
      });
    }
    assert.deepEqual(asked, ['fence KAFKA_FENCED', 'open KAFKA_FENCED']);
  });
}
