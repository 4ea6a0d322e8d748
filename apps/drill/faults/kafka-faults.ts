/** What an administrator does to topics and rights while rows are delivered. */
import { systemClock } from '#runtime';
import { until } from '#testkit';
import type { Fault, Injection } from '../fault.ts';
import { countRecords } from '../follow-topic.ts';
import { type AclResource, addPartitions, asAdmin, createTopic, deleteTopic, denyWrite } from '../kafka-admin.ts';
import type { Scene } from '../scene.ts';

/** Past the transaction timeout of every scene, so that nothing of a stopped sender is open any more. */
const STILL_MS = 12_000;
const CAUGHT_UP_DEADLINE_MS = 30_000;
const PARTITIONS = 6;

async function denyFor(scene: Scene, resource: AclResource, name: string): Promise<Injection> {
  const holdMs = scene.chance.integer(3_000, 9_000);
  const allow = await denyWrite(scene.servers, resource, name);
  return { detail: `for ${(holdMs / 1_000).toFixed(1)} s`, holdMs, heal: allow };
}

/** Everything that Kafka has was read: what is deleted now was seen. */
async function readAll({ deployment, topics, tally }: Scene): Promise<void> {
  const caughtUp = async () => {
    const { arrived, doubled } = tally.figures;
    return arrived + doubled === (await countRecords(deployment.env, topics));
  };
  await until('the reader to be at the end of the topic', caughtUp, CAUGHT_UP_DEADLINE_MS);
}

async function loseTopic(scene: Scene): Promise<Injection> {
  const { servers, deployment, chance } = scene;
  const { topic } = deployment;
  for (const sender of scene.senders()) sender.pause();
  await systemClock.sleep(STILL_MS);
  await readAll(scene);
  await deleteTopic(servers, topic);
  for (const sender of scene.senders()) sender.resume();
  const holdMs = chance.integer(4_000, 8_000);
  return {
    detail: `missing for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => {
      const topics = await asAdmin(servers, (admin) => admin.listTopics());
      if (topics.includes(topic)) throw new Error(`${topic} was made again behind the administrator's back`);
      await createTopic(servers, topic, PARTITIONS);
      await scene.readAfresh(topic);
    },
  };
}

export const KAFKA_FAULTS: readonly Fault[] = [
  {
    name: 'acl-topic',
    what: 'The right to write to the topic is taken away for some seconds.',
    expected: 'The rows wait; no process ends, and nothing is given up.',
    targets: ['kafka'],
    startMayFail: true,
    inject: (scene) => denyFor(scene, 'topic', scene.deployment.topic),
  },
  {
    name: 'acl-transactional-id',
    what: "The right to the deployment's transactional ids is taken away for some seconds.",
    expected: 'Nothing can be delivered, and nothing is delivered without a transaction.',
    targets: ['kafka'],
    startMayFail: true,
    inject: (scene) => denyFor(scene, 'transactional-id', `${scene.deployment.name}.`),
  },
  {
    name: 'acl-marker-group',
    what: 'The right to the group of the markers is taken away for some seconds.',
    expected: 'No rows without their markers: both wait.',
    targets: ['kafka'],
    startMayFail: true,
    inject: (scene) => denyFor(scene, 'group', `${scene.deployment.name}.kafka_row_sender_outbox`),
  },
  {
    name: 'partitions-added',
    what: 'The topic gets another partition, while rows are being sent.',
    expected: 'Keys may move to another partition; order holds within each.',
    targets: ['kafka'],
    inject: async (scene) => {
      scene.tally.allowKeysToMove();
      const count = await addPartitions(scene.servers, scene.deployment.topic, 1);
      await scene.reader.reopen();
      return { detail: `${count} partitions now` };
    },
  },
  {
    name: 'topic-deleted',
    what: 'The topic is deleted while rows wait for it, and made again some seconds later by hand.',
    expected: 'Nobody makes it behind our back; rows not delivered before arrive in the new one, no others.',
    targets: ['kafka', 'senders'],
    stage: 'alone',
    startMayFail: true,
    inject: loseTopic,
  },
];
