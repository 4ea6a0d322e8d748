/** Three brokers: leaders that move in mid-batch, and brokers that go one after another. */
import { systemClock } from '#runtime';
import { type ServerControl, until } from '#testkit';
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { awaitDeletion, awaitDelivery } from '../judge.ts';
import { asAdmin } from '../kafka-admin.ts';
import { setTopicConfig } from '../kafka-config.ts';
import type { Scene } from '../scene.ts';
import { oneTopicIll } from './one-topic-faults.ts';

const someBroker = (scene: Scene): ServerControl => scene.chance.pick(scene.servers.kafka.nodes);

/** Each partition's replicas in a new order: the first of them leads when leaders are elected anew. */
async function moveReplicas(scene: Scene, topic: string): Promise<void> {
  await asAdmin(scene.servers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitionAssignment = (topics[0]?.partitions ?? []).map(({ partitionId, replicas, leader }) => {
      // The leader leaves, comes back behind the others, and another leads meanwhile.
      const others = scene.chance.shuffle(replicas.filter((replica) => replica !== leader));
      return { partition: partitionId, replicas: scene.chance.happens(0.5) ? others : [...others, leader] };
    });
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
  });
}

async function restoreReplicas(scene: Scene, topic: string): Promise<void> {
  const brokers = scene.servers.kafka.nodes.map((_, index) => index + 1);
  await asAdmin(scene.servers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitionAssignment = (topics[0]?.partitions ?? []).map(({ partitionId, leader }) => ({
      partition: partitionId,
      replicas: [...new Set([leader, ...scene.chance.shuffle(brokers)])],
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
  });
}

async function shuffleLeaders(scene: Scene, topics: readonly string[]): Promise<Injection> {
  const times = scene.chance.integer(3, 6);
  for (let time = 0; time < times; time += 1) {
    for (const topic of topics) await moveReplicas(scene, topic);
    await systemClock.sleep(scene.chance.integer(300, 1_500));
    for (const topic of topics) await restoreReplicas(scene, topic);
    await systemClock.sleep(scene.chance.integer(300, 1_500));
  }
  return { detail: `${times} times` };
}

async function rollOver(scene: Scene): Promise<Injection> {
  for (const broker of scene.chance.shuffle(scene.servers.kafka.nodes)) {
    await broker.restart();
    await systemClock.sleep(scene.chance.integer(500, 3_000));
  }
  return { detail: 'all three' };
}

const LED_DEADLINE_MS = 60_000;

/** Only this broker has the topic any more. */
async function keepOnOne(scene: Scene, topic: string, broker: number): Promise<void> {
  await asAdmin(scene.servers, async (admin) => {
    const partitionsOf = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions ?? [];
    const partitionAssignment = (await partitionsOf()).map(({ partitionId }) => ({
      partition: partitionId,
      replicas: [broker],
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    const alone = async () =>
      (await partitionsOf()).every(({ replicas, leader }) => replicas.length === 1 && leader === broker);
    await until(`${topic} to be on broker ${broker} alone`, alone, LED_DEADLINE_MS);
  });
}

/** A topic without spare replicas, and the broker that has it is away. */
async function loseLeaders(scene: Scene): Promise<Injection> {
  const topic = scene.chance.pick(scene.topics.slice(0, 2));
  const index = scene.chance.integer(0, scene.servers.kafka.nodes.length - 1);
  const broker = scene.servers.kafka.nodes[index] as ServerControl;
  await setTopicConfig(scene.servers, topic, { 'min.insync.replicas': '1' });
  await keepOnOne(scene, topic, index + 1);
  await broker.kill();
  return oneTopicIll(scene, topic, async () => {
    await broker.restart();
    await restoreReplicas(scene, topic);
    await setTopicConfig(scene.servers, topic, { 'min.insync.replicas': null });
  });
}

/** Of internal topics: the transactions' states, and the groups' offsets, which are the markers. */
const COORDINATORS = ['__transaction_state', '__consumer_offsets'] as const;

/** A broker is given up after its session (9 s), and each coordinator loads what the lost one had. */
const WITHOUT_IT_DEADLINE_MS = 120_000;

const common = { targets: ['kafka'], stage: 'brokers' } as const;

export const BROKER_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'leaders-moved',
    what: "Every partition's leader leaves its replicas and comes back behind the others, several times, in mid-batch.",
    expected: 'What a former leader refused is not taken for delivered: the transaction ends, the marker tells.',
    weight: 3,
    inject: (scene) => shuffleLeaders(scene, [scene.deployment.topic]),
  },
  {
    ...common,
    name: 'coordinators-moved',
    what: 'The partitions of the transaction coordinators and of the marker groups change their leaders, several times, in mid-batch.',
    expected: 'The new coordinators are found; transactions of unknown outcome are settled by the markers.',
    weight: 2,
    inject: (scene) => shuffleLeaders(scene, COORDINATORS),
  },
  {
    ...common,
    name: 'one-topic-leaderless',
    what: 'One of two topics is on one broker of three alone, and that broker is killed.',
    expected: 'Rows of the other topic flow; rows of the leaderless one wait, in their order.',
    targets: ALL_TARGETS,
    inject: loseLeaders,
  },
  {
    ...common,
    name: 'broker-kill',
    what: 'SIGKILL of one broker of three, started again some seconds later.',
    expected: 'Leaders and coordinators move; delivery goes on meanwhile.',
    weight: 2,
    inject: async (scene) => {
      const broker = someBroker(scene);
      await broker.kill();
      const holdMs = scene.chance.integer(1_000, 8_000);
      return { detail: `away for ${holdMs} ms and its start`, holdMs, heal: () => broker.restart() };
    },
  },
  {
    ...common,
    name: 'broker-lost',
    what: 'SIGKILL of one broker of three, which stays away until the others have taken its place.',
    expected: 'Rows are delivered and deleted while it is away.',
    inject: async (scene) => {
      const broker = someBroker(scene);
      await broker.kill();
      const sinceMs = systemClock.nowMs();
      await awaitDelivery(scene, scene.tally.mark(), WITHOUT_IT_DEADLINE_MS);
      await awaitDeletion(scene, sinceMs, WITHOUT_IT_DEADLINE_MS);
      const awayMs = systemClock.nowMs() - sinceMs;
      return { detail: `done without it in ${(awayMs / 1_000).toFixed(1)} s`, heal: () => broker.restart() };
    },
  },
  {
    ...common,
    name: 'broker-pause',
    what: 'SIGSTOP of one broker of three for 8 to 20 s, longer than its session, then SIGCONT.',
    expected: 'The others take its place; what it answers late is fenced.',
    inject: async (scene) => {
      const broker = someBroker(scene);
      broker.pause();
      const holdMs = scene.chance.integer(8_000, 20_000);
      return { detail: `for ${(holdMs / 1_000).toFixed(1)} s`, holdMs, heal: async () => broker.resume() };
    },
  },
  {
    ...common,
    name: 'brokers-rolled',
    what: 'Orderly stop and start of each of three brokers, one after another.',
    expected: 'Delivery goes on meanwhile.',
    inject: rollOver,
  },
  {
    ...common,
    name: 'two-brokers-kill',
    what: 'SIGKILL of two brokers of three, so that nothing has enough replicas, started again some seconds later.',
    expected: 'Rows wait; nothing counts as delivered that only one broker has.',
    startMayFail: true,
    inject: async (scene) => {
      const brokers = scene.chance.shuffle(scene.servers.kafka.nodes).slice(0, 2);
      await Promise.all(brokers.map((broker) => broker.kill()));
      const holdMs = scene.chance.integer(2_000, 6_000);
      const heal = async () => void (await Promise.all(brokers.map((broker) => broker.restart())));
      return { detail: `away for ${holdMs} ms and their start`, holdMs, heal };
    },
  },
];
