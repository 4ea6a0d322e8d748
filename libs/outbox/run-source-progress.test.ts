/** Progress of a writer: terms that begin well do not make a fault that lasts look like one that is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, Progress, RelayError, systemClock } from '#runtime';
import {
  createFakeElections,
  createFakeStore,
  FakeOutboxTables,
  FakeSourceReader,
  FakeSourceTable,
  until,
} from '#testkit';
import { runSource, type WriterEvent } from './index.ts';

const DEADLINE_MS = 10_000;

/** A row waits, and its append fails with the code for as long as `fails`. */
async function scene(code: ErrorCode) {
  const tables = new FakeOutboxTables(systemClock);
  const table = new FakeSourceTable();
  const store = createFakeStore({ tables }).writer;
  const world = { fails: true };
  const appended = store.append.bind(store);
  const append: typeof store.append = async (request, onUnderWay) => {
    if (world.fails && request.messages.length > 0) throw new RelayError(code, 'for the test');
    return appended(request, onUnderWay);
  };
  const events: WriterEvent[] = [];
  const progress = new Progress();
  const insert = () => {
    const transaction = table.begin();
    transaction.insert([{ key: 'k', body: 'x' }]);
    transaction.commit();
  };
  insert();
  const stop = new AbortController();
  const running = runSource(
    {
      ...{ source: 'orders', writerId: 'w', lanes: 1, startFrom: 'earliest', clock: systemClock, random: () => 0.5 },
      store: Object.assign(store, { append }),
      openReader: async () => new FakeSourceReader({ table, name: 'orders', topic: 't' }),
      election: createFakeElections({ ttlMs: 5_000, clock: systemClock }).candidate(),
      doorbell: { ring: () => undefined, listen: () => () => undefined, close: async () => undefined },
      ...{ limits: { rowsMax: 10, bytesMax: 10_000 }, pollIntervalMs: 5, gapGraceMs: () => 10 },
      ...{ backoff: { baseMs: 1, maxMs: 4 }, electionIntervalMs: 5, mayLead: () => true, shouldHandOver: () => false },
      progress,
      onEvent: (event) => events.push(event),
    },
    stop.signal,
  );
  const retries = () => events.filter((event) => event.kind === 'writer-retry');
  const end = async () => {
    stop.abort();
    await running;
  };
  return { world, progress, insert, retries, end };
}

test('attempts count on from term to term until rows move, and begin anew after that', async () => {
  const { world, progress, insert, retries, end } = await scene('DB_FULL');
  try {
    await until('five attempts', () => retries().length >= 5, DEADLINE_MS);
    assert.deepEqual(
      retries()
        .slice(0, 5)
        .map(({ attempt }) => attempt),
      [1, 2, 3, 4, 5],
    );
    assert.equal(progress.lastFault?.cause, 'database-full');
    assert.ok(progress.standingMs(systemClock.nowMs()) > 0);
    world.fails = false;
    await until('idle', () => progress.lastFault === null && progress.faults === 0, DEADLINE_MS);
    const before = retries().length;
    world.fails = true;
    insert();
    await until('a fault anew', () => retries().length > before, DEADLINE_MS);
    assert.equal(retries()[before]?.attempt, 1);
  } finally {
    world.fails = false;
    await end();
  }
});

test('deadlocks are tried again at once some times; what goes on is waited out', async () => {
  const { world, retries, end } = await scene('DB_TRANSIENT');
  try {
    await until('eight attempts', () => retries().length >= 8, DEADLINE_MS);
    const delays = retries().map(({ delayMs }) => delayMs);
    assert.deepEqual(delays.slice(0, 5), [25, 25, 25, 25, 25]);
    assert.ok(
      delays.slice(5, 8).every((delayMs) => delayMs <= 4),
      'the configured pace, which is short here',
    );
  } finally {
    world.fails = false;
    await end();
  }
});
