/** A broker of our own: SASL, what is refused without rights, and the broker's restart under an open session. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import kafkajs from 'kafkajs';
import type { KafkaPort } from '#outbox';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { failOnLeaks, freePort, type KafkaServer, startKafka, testKafka, until } from '#testkit';
import {
  connectKafka,
  createKafkaPortOn,
  createTopicAdmin,
  inspectCluster,
  inspectMarkerGroup,
  type KafkaConnection,
  preflight,
  readTopics,
  rehearseTransaction,
  type SaslOptions,
} from './index.ts';

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const OAUTH = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required';
const TOPIC = 'events';
const GRANTED_TOPIC = 'granted';
const REQUEST_BYTES_MAX = 500_000;
const RECOVERY_DEADLINE_MS = 60_000;

let kafka: KafkaServer;

before(async () => {
  const port = await freePort();
  kafka = await startKafka({
    ports: [port],
    advertisedPorts: [port],
    properties: {
      'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
      'sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.plaintext.plain.sasl.jaas.config': `${PLAIN} username="admin" password="one" user_admin="one" user_guest="two";`,
      'listener.name.plaintext.oauthbearer.sasl.jaas.config': `${OAUTH} unsecuredLoginStringClaim_sub="admin";`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'socket.request.max.bytes': REQUEST_BYTES_MAX,
      'super.users': 'User:admin;User:ANONYMOUS',
    },
  });
});
after(() => kafka.stop());
// After the hook above: hooks run in the order they are given.
failOnLeaks();

function connect(sasl: SaslOptions, gate?: (name: string) => Promise<void>): KafkaConnection {
  return connectKafka({
    brokers: kafka.bootstrap.split(','),
    clientId: 'own-broker',
    logger: silentLogger,
    prefix: 'own',
    outboxTable: 'outbox',
    connectionTimeoutMs: 2_000,
    requestTimeoutMs: 4_000,
    sasl,
    ...(gate ? { gate } : {}),
  });
}

const admin: SaslOptions = { mechanism: 'plain', username: 'admin', password: 'one' };

async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof RelayError, `expected a RelayError, got ${String(outcome)}`);
  return outcome.code;
}

const record = (number: number) => ({
  topic: TOPIC,
  key: null,
  value: Buffer.from(String(number)),
  headers: {},
  spread: number,
  size: 10,
});

function unsecuredToken(): string {
  const seconds = Math.floor(systemClock.wallMs() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: 'admin', iat: seconds, exp: seconds + 600 })}.`;
}

test('PLAIN: the right password delivers', async () => {
  const connection = connect(admin);
  const topics = createTopicAdmin(connection);
  assert.equal(await topics.createMarkerTopic(4), 'created');
  assert.equal(await topics.ensureTopic(TOPIC, 1), 'created');
  await topics.close();
  const port = createKafkaPortOn(connection);
  const session = await port.open('own-1');
  await session.transact([record(1)], [{ kind: 'lane', lane: 0, value: 1 }]);
  await session.close();
  assert.equal((await port.readMarkers('lane', [0])).get(0), 1);
  await port.close();
});

test('OAUTHBEARER: a token from a command', async () => {
  const script = `process.stdout.write(${JSON.stringify(unsecuredToken())})`;
  const token = { command: [process.execPath, '-e', script] } as const;
  assert.equal((await preflight(connect({ mechanism: 'oauthbearer', token }))).brokers, 1);
});

test('a wrong password, a mechanism that is off, a token source that fails: KAFKA_REFUSED', async () => {
  const refused: SaslOptions[] = [
    { mechanism: 'plain', username: 'admin', password: 'wrong' },
    { mechanism: 'scram-sha-512', username: 'admin', password: 'one' },
    { mechanism: 'oauthbearer', token: { command: ['/bin/false'] } },
  ];
  for (const sasl of refused) assert.equal(await codeOf(preflight(connect(sasl))), 'KAFKA_REFUSED');
});

test('a user without rights is refused at each door', async () => {
  const connection = connect({ mechanism: 'plain', username: 'guest', password: 'two' });
  assert.equal((await preflight(connection)).offsetsRetentionMinutes, null);
  const topics = createTopicAdmin(connection);
  assert.equal(await codeOf(topics.createMarkerTopic(8)), 'KAFKA_REFUSED');
  await topics.close();
  const port = createKafkaPortOn(connection);
  assert.equal(await codeOf(port.open('own-guest')), 'KAFKA_REFUSED');
  assert.equal(await codeOf(port.readMarkers('lane', [0])), 'KAFKA_REFUSED');
  await port.close();
});

test('what a user without rights may not see is said to be unknown or refused', async () => {
  const connection = connect({ mechanism: 'plain', username: 'guest', password: 'two' });
  const { brokers, topics } = await inspectCluster(connection, [TOPIC]);
  assert.deepEqual(
    brokers.map(({ config, fault }) => [config, fault]),
    [[null, null]],
  );
  assert.equal(topics.get(TOPIC)?.fault?.code, 'KAFKA_REFUSED');
  assert.equal(await codeOf(inspectMarkerGroup(connection, 'lane')), 'KAFKA_REFUSED');
  assert.equal(await codeOf(rehearseTransaction(connection, 'own-guest')), 'KAFKA_REFUSED');
});

/** The rights that docs/operations.md lists as needed, for the user `guest`. */
async function grantDocumentedRights(): Promise<void> {
  const { AclResourceTypes: resource, AclOperationTypes: operation, ResourcePatternTypes: pattern } = kafkajs;
  const rights = [
    [resource.TRANSACTIONAL_ID, 'own.', pattern.PREFIXED, [operation.WRITE, operation.DESCRIBE]],
    [resource.GROUP, 'own.outbox', pattern.PREFIXED, [operation.READ]],
    [resource.TOPIC, 'own.markers', pattern.LITERAL, [operation.READ, operation.DESCRIBE]],
    [resource.TOPIC, GRANTED_TOPIC, pattern.LITERAL, [operation.WRITE, operation.DESCRIBE, operation.READ]],
  ] as const;
  const client = testKafka(kafka.bootstrap, {
    sasl: { mechanism: 'plain', username: 'admin', password: 'one' },
  }).admin();
  await client.connect();
  try {
    await client.createAcls({
      acl: rights.flatMap(([resourceType, resourceName, resourcePatternType, operations]) =>
        operations.map((each) => ({
          resourceType,
          resourceName,
          resourcePatternType,
          principal: 'User:guest',
          host: '*',
          operation: each,
          permissionType: kafkajs.AclPermissionTypes.ALLOW,
        })),
      ),
    });
  } finally {
    await client.disconnect();
  }
}

test('the rights that the documents list are enough to deliver, to fence, to retry and to read markers', async () => {
  const topics = createTopicAdmin(connect(admin));
  await topics.ensureTopic(GRANTED_TOPIC, 1);
  await topics.close();
  await grantDocumentedRights();
  const granted = { ...record(1), topic: GRANTED_TOPIC };
  const connection = connect({ mechanism: 'plain', username: 'guest', password: 'two' });
  const port = createKafkaPortOn(connection);
  const deliver = async () => {
    const session = await port.open('own.guest-1');
    try {
      await session.transact([granted], [{ kind: 'lane', lane: 2, value: 7 }]);
      await session.transact([granted], [{ kind: 'retry', lane: 2, value: 8 }]);
    } finally {
      await session.close();
    }
    return true;
  };
  // Brokers learn of rights a moment after they were given.
  const isAllowed = () =>
    deliver().catch((error: RelayError) => {
      assert.equal(error.code, 'KAFKA_REFUSED');
      return false;
    });
  await until('the rights to be known', isAllowed, RECOVERY_DEADLINE_MS);
  await port.fence('own.guest-2');
  assert.equal((await port.readMarkers('lane', [2])).get(2), 7);
  assert.equal((await port.readMarkers('retry', [2])).get(2), 8);
  assert.equal((await port.settledMarkers('lane', [2]))?.get(2), 7);
  await port.close();
  const mayNotMake = createTopicAdmin(connection);
  assert.equal(await mayNotMake.createMarkerTopic(1), 'there');
  await mayNotMake.close();
  assert.ok(await rehearseTransaction(connection, 'own.doctor'));
  const [facts] = (await inspectCluster(connection, ['own.markers'])).topics.values();
  assert.deepEqual([facts?.fault, facts?.mayRead, facts?.config], [null, true, null]);
});

test('what the broker takes in a request is known before a record is sent, or learnt where it may not be asked for', async () => {
  const large = { ...record(1), topic: GRANTED_TOPIC, value: Buffer.alloc(600_000), size: 600_000 };
  const port = createKafkaPortOn(connect(admin));
  const session = await port.open('own.sizes');
  const known = await session.misfits?.([large, record(2)]);
  assert.deepEqual([...(known?.keys() ?? [])], [large]);
  assert.match(known?.get(large) ?? '', /takes requests of at most 500000 bytes \(socket\.request\.max\.bytes\)/);
  const fitting = Array.from({ length: 40 }, (_, n) => ({
    ...record(n),
    topic: GRANTED_TOPIC,
    value: Buffer.alloc(50_000),
  }));
  await session.transact(fitting, [{ kind: 'lane', lane: 1, value: 9 }]);
  await session.close();
  await port.close();

  const guest = createKafkaPortOn(connect({ mechanism: 'plain', username: 'guest', password: 'two' }));
  const codes: string[] = [];
  for (let time = 0; time < 2; time += 1) {
    const blind = await guest.open('own.guest-3');
    assert.equal((await blind.misfits?.([large]))?.size, 0, 'nobody tells');
    codes.push(await codeOf(blind.transact([large], [{ kind: 'lane', lane: 3, value: 9 }])));
    await blind.close();
  }
  assert.deepEqual(codes, ['KAFKA_UNREACHABLE', 'KAFKA_RECORD_REFUSED'], 'once may be chance');
  const taught = await guest.open('own.guest-3');
  assert.equal((await taught.misfits?.([large, { ...large, value: Buffer.alloc(599_000) }]))?.size, 1);
  await taught.transact([{ ...record(1), topic: GRANTED_TOPIC }], [{ kind: 'lane', lane: 3, value: 10 }]);
  await taught.close();
  await guest.close();
});

/** What a sender does: open, read the marker, send what it does not cover; until that went through. */
async function deliver(port: KafkaPort, number: number): Promise<void> {
  const attempt = async (): Promise<boolean> => {
    const session = await port.open('own-2');
    try {
      const marker = (await port.readMarkers('lane', [0])).get(0) ?? -1;
      if (marker < number) await session.transact([record(number)], [{ kind: 'lane', lane: 0, value: number }]);
      return true;
    } finally {
      await session.close();
    }
  };
  const look = () =>
    attempt().catch((error: RelayError) => {
      assert.equal(error.verdict, 'retry');
      return false;
    });
  await until(`record ${number} to be delivered`, look, RECOVERY_DEADLINE_MS);
}

test('a broker restarts under an idle session and before a commit: nothing lost, nothing twice (I4)', async () => {
  let atCommit: (() => Promise<void>) | null = null;
  const connection = connect(admin, async (name) => {
    if (name === 'before:commit') await atCommit?.();
  });
  const port = createKafkaPortOn(connection);
  const session = await port.open('own-2');
  await session.transact([record(2)], [{ kind: 'lane', lane: 0, value: 2 }]);
  await kafka.restart();
  // Idle, it may live on over a new connection, or end: both are right.
  await session.transact([record(3)], [{ kind: 'lane', lane: 0, value: 3 }]).catch(() => undefined);
  await session.close();
  await deliver(port, 3);
  const second = await port.open('own-2');
  atCommit = () => kafka.restart();
  await second.transact([record(4)], [{ kind: 'lane', lane: 0, value: 4 }]).catch(() => undefined);
  atCommit = null;
  await second.close();
  await deliver(port, 4);
  await deliver(port, 5);
  await port.close();
  const values: string[] = [];
  for await (const batch of readTopics(connection, { topics: [TOPIC], withValues: true })) {
    values.push(...batch.records.map(({ value }) => String(value)));
  }
  assert.deepEqual(values, ['1', '2', '3', '4', '5']);
});
