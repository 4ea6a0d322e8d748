/** The example as its readers run it: orders over HTTP, their events in the topic, and neither without the other. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { OutboxRepository } from 'kafka-row-sender/outbox';
import { OutboxPublisher } from 'kafka-row-sender/publisher';
import mysql, { type Pool } from 'mysql2/promise';
import { createDeployment, createTestTopic, type Deployment, readTopic, until } from '#testkit';
import { createOrderService } from './order-service.ts';
import { createTables } from './order-tables.ts';

let relay: Deployment;
let pool: Pool;
let service: FastifyInstance;
let topic: string;

before(async () => {
  relay = await createDeployment({
    name: 'krs_example_orders',
    source: { table: 'outboxevent', keyColumn: 'aggregateid', watermarkColumn: 'seq' },
    settings: { SOURCE_MODE: 'consume', SOURCE_EVENT_HEADERS: 'type', REDIS_URL: '', KAFKA_TOPIC: '' },
  });
  const { env } = relay as { env: Record<string, string> };
  env.KAFKA_ROW_SENDER_SOURCE_EVENT_TOPIC_PREFIX = `${relay.name}.`;
  topic = `${relay.name}.order`;
  await createTestTopic({ name: topic, partitions: 2 });
  const { code, output } = await relay.cli('init', '--event-tables', '--wait', '30');
  assert.equal(code, 0, output);
  const { host, port, user, password, name } = relay.database;
  pool = mysql.createPool({ host, port, user, password, database: name });
  await createTables(pool);
  service = createOrderService({ pool, outbox: new OutboxRepository({ source: '/order-service' }) });
});

after(async () => {
  await service?.close();
  await pool?.end();
  await relay?.drop();
});

const order = { customer: 'anna', items: [{ product: 'tea', quantity: 2, price: 4.5 }] };

test('an order and its events, in order; what is refused leaves neither', async () => {
  const publisher = new OutboxPublisher({ settings: relay.env });
  const scheduled = publisher.schedulePublishing();
  const placed = await service.inject({ method: 'POST', url: '/orders', payload: order });
  assert.equal(placed.statusCode, 201);
  const { id } = placed.json<{ id: number }>();
  assert.equal((await service.inject({ method: 'POST', url: `/orders/${id}/cancel` })).statusCode, 204);
  assert.equal((await service.inject({ method: 'POST', url: `/orders/${id}/cancel` })).statusCode, 409);
  assert.equal((await service.inject({ method: 'POST', url: '/orders', payload: { customer: '' } })).statusCode, 400);
  assert.equal((await service.inject({ url: `/orders/${id}` })).json<{ state: string }>().state, 'cancelled');
  await until('both events', async () => (await readTopic(topic)).length >= 2, 30_000);
  await publisher.stop();
  await scheduled;
  const records = await readTopic(topic);
  assert.deepEqual(
    records.map(({ key, headers, value }) => [key, headers.type, JSON.parse(String(value))]),
    [
      [String(id), 'OrderPlaced', { id, customer: 'anna', total: 9, items: order.items }],
      [String(id), 'OrderCancelled', { id }],
    ],
  );
});

test('its relay loses no row, however long a transaction takes', async () => {
  assert.match((await relay.cli('config', 'check')).output, /gap mode transactions .*no committed row is lost/);
});

test('when the event cannot be stored, neither is the order', async () => {
  await pool.query('RENAME TABLE outboxevent TO elsewhere');
  const refused = await service.inject({ method: 'POST', url: '/orders', payload: order });
  await pool.query('RENAME TABLE elsewhere TO outboxevent');
  assert.equal(refused.statusCode, 500);
  const [rows] = await pool.query('SELECT id FROM orders');
  assert.equal((rows as unknown[]).length, 1);
});
