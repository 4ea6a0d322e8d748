/** Three brokers, one of which goes and does not come back: its successors are asked, by ports that knew it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KafkaPort } from '#outbox';
import { asRelayError, silentLogger } from '#runtime';
import { failOnLeaks, type KafkaServer, startKafka, until } from '#testkit';
import { connectKafka, createKafkaPortOn, createTopicAdmin } from './index.ts';

const TAKE_OVER_DEADLINE_MS = 60_000;
const LANE = 0;
const IDS = ['one', 'two', 'three', 'four'];

let kafka: KafkaServer;

before(async () => {
  kafka = await startKafka({ nodes: 3 });
});
after(() => kafka.stop());
// After the hook above: hooks run in the order they are given.
failOnLeaks();

/** Again until it is done; faults that pass by themselves are waited out. */
const eventually = (what: string, attempt: () => Promise<boolean>) =>
  until(
    what,
    () =>
      attempt().catch((thrown: unknown) => {
        assert.equal(asRelayError(thrown).verdict, 'retry', String(thrown));
        return false;
      }),
    TAKE_OVER_DEADLINE_MS,
  );

/** A session of the id opened anew, as after every fault, which writes the marker without a record. */
async function write(port: KafkaPort, id: string, value: number): Promise<void> {
  const session = await port.open(id);
  try {
    await session.transact([], [{ kind: 'lane', lane: LANE, value }]);
  } finally {
    await session.close();
  }
}

const isSettled = async (port: KafkaPort, value: number) =>
  (await port.settledMarkers('lane', [LANE]))?.get(LANE) === value;

test('a port whose coordinators are gone finds their successors, and goes on settling (I6)', async () => {
  const options = {
    brokers: kafka.bootstrap.split(','),
    clientId: 'coordinator-gone',
    logger: silentLogger,
    prefix: 'gone',
    outboxTable: 'outbox',
    connectionTimeoutMs: 2_000,
    requestTimeoutMs: 4_000,
  };
  const admin = createTopicAdmin(connectKafka(options));
  await admin.createMarkerTopic(1);
  await admin.close();
  // Several ids, so that each broker is likely to coordinate one; each in a port of its own, as in processes of their own.
  const ports = new Map(IDS.map((id) => [id, createKafkaPortOn(connectKafka(options))]));
  let value = 0;
  const writeAll = async () => {
    for (const [id, port] of ports) {
      value += 1;
      await eventually(`${id} writes its marker`, async () => {
        await write(port, id, value);
        return true;
      });
      await eventually(`the marker of ${id} settles`, () => isSettled(port, value));
    }
  };
  await writeAll();
  for (const node of kafka.nodes) {
    await node.kill();
    await writeAll();
    await node.restart();
  }
  for (const port of ports.values()) await port.close();
});
