/** What each format makes of an event, read back by the readers that consumers use. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import confluent from '@kafkajs/confluent-schema-registry';
import { CloudEvent, Kafka } from 'cloudevents';
import { RelayError } from '#runtime';
import { freePort, type RegistryServer, startRegistry, uniqueName } from '#testkit';
import {
  avroFormatter,
  cloudEventsFormatter,
  completeEvent,
  type FormattedEvent,
  jsonFormatter,
  jsonSchemaFormatter,
  type OutboxEventInit,
  rawFormatter,
  SchemaRegistry,
} from '../index.ts';

const INIT: OutboxEventInit = {
  id: 'e1',
  type: 'OrderPlaced',
  aggregateType: 'order',
  aggregateId: '17',
  occurredAt: new Date('2026-01-02T03:04:05.678Z'),
  source: '/shop',
  correlationId: 'c1',
  payload: { total: 12.5, wer: 'ä' },
  traceContext: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
};
const eventWith = (more: Partial<OutboxEventInit>) => completeEvent({ ...INIT, ...more });
const text = ({ value }: FormattedEvent): string => Buffer.from(value ?? []).toString();
const refused = (reason: string) => (thrown: unknown) =>
  thrown instanceof RelayError && thrown.details.reason === reason;

test('JSON is the payload alone, and null a tombstone', () => {
  assert.equal(text(jsonFormatter.format(eventWith({}))), '{"total":12.5,"wer":"ä"}');
  assert.equal(jsonFormatter.format(eventWith({ payload: null })).value, null);
});

test('raw bytes go as they are, and nothing else does', () => {
  const bytes = new Uint8Array([0, 255, 1]);
  assert.deepEqual(rawFormatter('image/png').format(eventWith({ payload: bytes })), {
    value: bytes,
    headers: { 'content-type': 'image/png' },
  });
  assert.throws(() => rawFormatter().format(eventWith({ payload: 'text' })), refused('does-not-serialise'));
});

const ATTRIBUTES = {
  id: 'e1',
  type: 'OrderPlaced',
  source: '/shop',
  subject: '17',
  specversion: '1.0',
  time: '2026-01-02T03:04:05.678Z',
  dataversion: '1.0',
  correlationid: 'c1',
};

test('CloudEvents structured is read back by the SDK', () => {
  const { value, headers } = cloudEventsFormatter().format(eventWith({}));
  assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8');
  const read = Kafka.toEvent({
    headers,
    key: '17',
    value: text({ value, headers }),
    body: text({ value, headers }),
  } as never);
  assert.ok(read instanceof CloudEvent);
  const { data, ...attributes } = read.toJSON() as Record<string, unknown>;
  assert.deepEqual(data, INIT.payload);
  for (const [name, wanted] of Object.entries(ATTRIBUTES)) assert.equal(attributes[name], wanted, name);
});

test('CloudEvents binary has its attributes in headers, and the data as value; a tombstone keeps the attributes', () => {
  const { value, headers } = cloudEventsFormatter({ mode: 'binary' }).format(eventWith({}));
  assert.deepEqual(JSON.parse(text({ value, headers })), INIT.payload);
  assert.equal(headers['content-type'], 'application/json');
  for (const [name, wanted] of Object.entries(ATTRIBUTES)) assert.equal(headers[`ce_${name}`], wanted, name);
  const tombstone = cloudEventsFormatter({ mode: 'binary' }).format(eventWith({ payload: null }));
  assert.equal(tombstone.value, null);
  assert.equal(tombstone.headers.ce_type, 'OrderPlaced');
  const bytes = cloudEventsFormatter({ mode: 'binary' }).format(eventWith({ payload: Buffer.from([1, 2]) }));
  assert.deepEqual([...(bytes.value ?? [])], [1, 2]);
  assert.equal(cloudEventsFormatter().format(eventWith({ payload: null })).value, null);
});

test('a CloudEvent without a source, or with an attribute that is none, is refused', () => {
  assert.throws(() => cloudEventsFormatter().format(eventWith({ source: null })), refused('missing'));
  const extensions = () => ({ 'Not Allowed': 'x' });
  assert.throws(() => cloudEventsFormatter({ extensions }).format(eventWith({})), refused('malformed'));
});

const AVRO = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'total', type: 'double' },
    { name: 'wer', type: 'string' },
  ],
};
const JSON_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: { total: { type: 'number' }, wer: { type: 'string' } },
  required: ['total'],
};

describe('with a schema registry', () => {
  let server: RegistryServer;
  let aggregateType: string;
  let reader: confluent.SchemaRegistry;

  before(async () => {
    server = await startRegistry();
    aggregateType = uniqueName('order');
    reader = new confluent.SchemaRegistry({ host: server.url });
  });
  after(() => server?.stop());

  test('Avro is read back by a Confluent client; what does not fit is refused with the field, not the value', async () => {
    const registry = new SchemaRegistry({ url: server.url });
    const formatter = avroFormatter({ registry, schema: AVRO });
    const { value } = await formatter.format(eventWith({ aggregateType }));
    assert.deepEqual({ ...(await reader.decode(value as Buffer)) }, INIT.payload);
    const wrong = async () => formatter.format(eventWith({ aggregateType, payload: { total: 'secret', wer: 'x' } }));
    await assert.rejects(wrong, (thrown: RelayError) => {
      assert.match(thrown.message, /does not fit Avro schema \d+: total$/);
      return refused('schema')(thrown);
    });
    assert.equal((await formatter.format(eventWith({ aggregateType, payload: null }))).value, null);
    const latest = await avroFormatter({ registry }).format(eventWith({ aggregateType }));
    assert.deepEqual(latest.value, value);
  });

  test('JSON Schema likewise', async () => {
    const registry = new SchemaRegistry({ url: server.url });
    const subject = () => `${aggregateType}-json`;
    const formatter = jsonSchemaFormatter({ registry, schema: JSON_SCHEMA, subject });
    const { value } = await formatter.format(eventWith({ aggregateType }));
    assert.deepEqual(await reader.decode(value as Buffer), INIT.payload);
    await assert.rejects(async () => formatter.format(eventWith({ payload: { wer: 5 } })), refused('schema'));
  });

  test('a subject that has no schema, or one of another kind, is refused', async () => {
    const registry = new SchemaRegistry({ url: server.url });
    const none = avroFormatter({ registry, subject: () => 'nobody-knows' });
    await assert.rejects(async () => none.format(eventWith({})), refused('schema'));
    const other = avroFormatter({ registry, subject: () => `${aggregateType}-json` });
    await assert.rejects(async () => other.format(eventWith({})), refused('schema'));
  });

  test('a schema once known needs no registry any more', async () => {
    const registry = new SchemaRegistry({ url: server.url, timeoutMs: 200, waitMs: 200, refreshMs: 0 });
    const registered = avroFormatter({ registry, schema: AVRO });
    const latest = avroFormatter({ registry });
    await registered.format(eventWith({ aggregateType }));
    await latest.format(eventWith({ aggregateType }));
    server.pause();
    try {
      await registered.format(eventWith({ aggregateType }));
      await latest.format(eventWith({ aggregateType }));
      const unknown = async () => registered.format(eventWith({ aggregateType: 'another' }));
      await assert.rejects(unknown, { code: 'REGISTRY_UNREACHABLE', verdict: 'retry' });
    } finally {
      server.resume();
    }
  });
});

test('a registry that is away is waited for, and one that stays away is a fault to try again later', async () => {
  const port = await freePort();
  const registry = new SchemaRegistry({ url: `http://127.0.0.1:${port}`, waitMs: 20_000 });
  const coming = Promise.resolve(avroFormatter({ registry, schema: AVRO }).format(eventWith({})));
  let refusals = 0;
  const server = createServer((_request, response) => {
    response.statusCode = refusals < 2 ? 503 : 200;
    refusals += 1;
    response.end('{"id":7}');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    assert.equal(Buffer.from((await coming).value ?? []).readUInt32BE(1), 7);
    assert.equal(refusals, 3);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  const gone = new SchemaRegistry({ url: `http://127.0.0.1:${port}`, waitMs: 100 });
  await assert.rejects(gone.register('s', 'AVRO', '"int"'), { code: 'REGISTRY_UNREACHABLE', verdict: 'retry' });
});
