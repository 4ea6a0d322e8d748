/** What an administrator does to Kafka: topics made and deleted, partitions added, leaders moved, rights taken, offsets lost. */
import kafkajs, { type Admin } from 'kafkajs';
import { createTestTopic, testKafka, until } from '#testkit';
import type { DrillServers } from './servers.ts';

const GONE_DEADLINE_MS = 30_000;

export type KafkaAddress = Pick<DrillServers, 'kafka'>;

export async function asAdmin<T>({ kafka }: KafkaAddress, act: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = testKafka(kafka.bootstrap).admin();
  await admin.connect();
  try {
    return await act(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Resolves when the topic is no longer listed. */
export async function deleteTopic(servers: KafkaAddress, topic: string): Promise<void> {
  await asAdmin(servers, async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await until(`${topic} gone`, async () => !(await admin.listTopics()).includes(topic), GONE_DEADLINE_MS);
  });
}

export async function createTopic({ kafka }: KafkaAddress, name: string, partitions: number): Promise<void> {
  await createTestTopic({ name, partitions, bootstrap: kafka.bootstrap, replicationFactor: kafka.nodes.length });
}

export async function partitionsOf(servers: KafkaAddress, topic: string): Promise<number> {
  return asAdmin(servers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.length ?? 0;
  });
}

/** How many the topic has then. */
export async function addPartitions(servers: KafkaAddress, topic: string, more: number): Promise<number> {
  const count = (await partitionsOf(servers, topic)) + more;
  await asAdmin(servers, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
  return count;
}

/** The marker group's offsets, as if they had expired. */
export async function deleteGroup(servers: KafkaAddress, group: string): Promise<void> {
  await asAdmin(servers, (admin) => admin.deleteGroups([group]));
}

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

export type AclResource = 'topic' | 'group' | 'transactional-id';

const RESOURCE_TYPES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
} as const;

/** Denies everybody to write to what is named so (or begins so); reading stays. Returns how to take that back. */
export async function denyWrite(
  servers: KafkaAddress,
  resource: AclResource,
  resourceName: string,
): Promise<() => Promise<void>> {
  const place = {
    resourceType: RESOURCE_TYPES[resource],
    resourceName,
    resourcePatternType: resource === 'transactional-id' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: 'User:*',
    host: '*',
  };
  // A resource with any rule at all is closed to everybody whom no rule lets in.
  const allowed = { ...place, operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW };
  // Markers are written by those who may read the group.
  const operation = resource === 'group' ? AclOperationTypes.READ : AclOperationTypes.WRITE;
  const denied = { ...place, operation, permissionType: AclPermissionTypes.DENY };
  await asAdmin(servers, (admin) => admin.createAcls({ acl: [allowed, denied] }));
  return () =>
    asAdmin(servers, async (admin) => {
      await admin.deleteAcls({ filters: [denied, allowed] });
    });
}
