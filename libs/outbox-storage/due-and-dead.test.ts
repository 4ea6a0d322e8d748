import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { createPool, type Pool } from '#database';
import { createTestDatabase, testDatabaseOptions } from '#testkit';
import { forgetDead } from './forget-dead.ts';
import { listDueLanes } from './list-due-lanes.ts';
import { migrate } from './migrate.ts';

const tables = {
  watermark: 'w',
  outbox: 'o',
  lane: 'l',
  member: 'm',
  deadLetter: 'd',
  topic: 't',
  gap: 'g',
  sourceFacts: 'f',
};
let pool: Pool;
let drop: () => Promise<void>;

async function aside(id: number, lane: number, state: string, dueInS: number, ageS: number): Promise<void> {
  await pool.run(
    `INSERT INTO d (id, lane, state, event_id, topic, size, attempts, attempt_token, error, due_at, first_at, last_at)
     VALUES (?, ?, ?, 'e', 't', 0, 1, 0, '', NOW(6) + INTERVAL ? SECOND, NOW(6), NOW(6) - INTERVAL ? SECOND)`,
    [id, lane, state, dueInS, ageS],
  );
}

before(async () => {
  const database = await createTestDatabase();
  drop = database.drop;
  pool = createPool(testDatabaseOptions(database));
  await migrate(pool, tables);
});

after(async () => {
  await pool.close();
  await drop();
});

it('names each lane with the first attempt that is due, and only rows that wait for one', async () => {
  await aside(1, 3, 'retrying', 60, 0);
  await aside(2, 3, 'retrying', -5, 0);
  await aside(3, 4, 'parked', -5, 0);
  await aside(4, 5, 'retrying', 30, 0);
  const due = await listDueLanes(pool, tables);
  assert.deepEqual(
    due.map(({ lane }) => lane),
    [3, 5],
  );
  assert.ok((due[0]?.dueInMs ?? 1) <= -4_000);
  assert.ok((due[1]?.dueInMs ?? 0) > 25_000);
});

it('forgets dead rows past their retention, and never a row that still waits', async () => {
  await aside(10, 6, 'dead', 0, 100);
  await aside(11, 6, 'dead', 0, 10);
  await aside(12, 6, 'parked', 0, 100);
  assert.equal(await forgetDead(pool, tables, 50_000, 100), 1);
  const left = await pool.query<{ id: string }>('SELECT id FROM d WHERE lane = 6 ORDER BY id');
  assert.deepEqual(
    left.map(({ id }) => Number(id)),
    [11, 12],
  );
});
