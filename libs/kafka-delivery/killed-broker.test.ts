/** A broker killed right after it acknowledged commits: what it makes of them, and whether we are told (KAFKA-20734). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KafkaPort, Landed } from '#outbox';
import { type RelayError, silentLogger } from '#runtime';
import { failOnLeaks, type KafkaServer, startKafka, until } from '#testkit';
import { connectKafka, createKafkaPortOn, createTopicAdmin, readTopics } from './index.ts';

const RECOVERY_DEADLINE_MS = 60_000;

let kafka: KafkaServer;

before(async () => {
  kafka = await startKafka();
});
after(() => kafka.stop());
// After the hook above: hooks run in the order they are given.
failOnLeaks();

const record = (topic: string, id: number) => ({
  topic,
  key: null,
  value: Buffer.from(String(id)),
  headers: { id: `e:${id}`, 'outbox-id': String(id) },
  spread: id,
  size: 10,
});

test('a broker killed with its last commits acknowledged: markers and the look back tell what readers see (I4)', async (t) => {
  const options = {
    brokers: kafka.bootstrap.split(','),
    clientId: 'killed-broker',
    logger: silentLogger,
    prefix: 'killed',
    outboxTable: 'outbox',
    connectionTimeoutMs: 2_000,
    requestTimeoutMs: 4_000,
  };
  const connection = connectKafka(options);
  const topics = createTopicAdmin(connection);
  const topic = 'torn';
  await topics.createMarkerTopic(4);
  await topics.ensureTopic(topic, 6);
  await topics.close();
  const port = createKafkaPortOn(connection);
  const session = await port.open('own-3');
  const sent = Array.from({ length: 400 }, (_, index) => index + 1);
  for (let at = 0; at < sent.length; at += 40) {
    const ids = sent.slice(at, at + 40);
    const records = ids.map((id) => record(topic, id));
    await session.transact(records, [{ kind: 'lane', lane: 0, value: ids.at(-1) ?? 0 }]);
  }
  await kafka.kill();
  await kafka.restart();
  await session.close();
  await port.close();
  // Whoever looks is another process, which has never sent to the topic.
  const taker = createKafkaPortOn(connectKafka(options));
  let look: { readonly marker: number; readonly landed: Awaited<ReturnType<KafkaPort['findLanded']>> } | null = null;
  await until(
    'the broker answers',
    async () => {
      try {
        await taker.fence('own-3', async () => [topic]);
        const markers = await taker.readMarkers('lane', [0]);
        look = { marker: markers.get(0) ?? -1, landed: await taker.findLanded(['own-3'], [0]) };
        return true;
      } catch (error) {
        assert.equal((error as RelayError).verdict, 'retry');
        return false;
      }
    },
    RECOVERY_DEADLINE_MS,
  );
  await taker.close();
  const { marker, landed } = look as unknown as { marker: number; landed: Landed };
  const above = [...landed.committed].filter((id) => id > marker);
  const missing = [...landed.aborted].filter((id) => id <= marker);
  t.diagnostic(`marker ${marker}, ${above.length} above it, ${missing.length} missing below it`);
  const seen = new Set<number>();
  for await (const batch of readTopics(connection, { topics: [topic], to: 'written' })) {
    for (const { headers } of batch.records) seen.add(Number(headers['outbox-id']));
  }
  const told = sent.filter((id) => (id <= marker && !missing.includes(id)) || above.includes(id));
  assert.deepEqual(
    sent.filter((id) => seen.has(id)),
    told,
  );
});
