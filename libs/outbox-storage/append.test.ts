/** What an append takes on a real server: names of any length, and the server that it was planned for. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import { type OutboxMessage, outboxId } from '#outbox';
import { createTestDatabase, failOnLeaks, type TestDatabase, testDatabaseOptions, testTables } from '#testkit';
import { createSenderStore, createWriterStore, migrate } from './index.ts';

let database: TestDatabase;
let pool: Pool;
let worlds = 0;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_append' });
  pool = createPool(testDatabaseOptions(database));
});

after(async () => {
  await pool.close();
  await database.drop();
});
failOnLeaks();

const MESSAGE: OutboxMessage = {
  id: outboxId(0, 1),
  eventId: 'orders:1',
  topic: 'orders',
  key: Buffer.from('k'),
  value: Buffer.from('{}'),
  headers: null,
};

/** Fresh tables with a source of one lane, whose first append it is. */
async function world() {
  worlds += 1;
  const tables = testTables(`t${worlds}_`);
  await migrate(pool, tables);
  const writer = createWriterStore({ pool, tables });
  await writer.registerSource({ source: 'orders', position: 0n, gaps: [], lanes: 1 });
  const { epoch } = await writer.beginTerm('orders', 'w1');
  const append = (message: OutboxMessage, server: string | null) => {
    const next = { position: 1n, gaps: { put: [], drop: [] }, nextSequence: 2 };
    return writer.append({ server, source: 'orders', epoch, expectedNextSequence: 1, next, messages: [message] });
  };
  return { writer, sender: createSenderStore({ pool, tables }), append };
}

test('I1: what was planned by what one server said is not written to another', async () => {
  const { append, writer } = await world();
  await assert.rejects(append(MESSAGE, 'another/3306/7/'), { code: 'DB_UNREACHABLE' });
  assert.equal((await writer.loadWatermark('orders'))?.nextSequence, 1);
  assert.equal(await append(MESSAGE, await pool.server()), 'committed');
});

test('names of any length get into the outbox and aside as they are', async () => {
  const { append, sender } = await world();
  const names = { eventId: `${'é'.repeat(70_000)}😀`, topic: 'ü'.repeat(70_000) };
  const row = { ...MESSAGE, ...names, key: Buffer.alloc(70_000, 'k'), headers: { long: 'h'.repeat(200_000) } };
  assert.equal(await append(row, null), 'committed');
  const [batch] = await sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 10 }], { rowsMax: 10, bytesMax: 1e7 });
  const [found] = batch?.rows ?? [];
  assert.ok(found !== undefined);
  assert.deepEqual({ eventId: found.eventId, topic: found.topic }, names);
  assert.deepEqual([found.key, found.headers], [row.key, row.headers]);
});
