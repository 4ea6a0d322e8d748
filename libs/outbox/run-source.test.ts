/** A writer that finds its database older than Kafka, or than its own memory, halts the source before it appends (I8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#runtime';
import {
  createFakeElections,
  createFakeStore,
  FakeOutboxTables,
  FakeSourceReader,
  FakeSourceTable,
  until,
} from '#testkit';
import { laneFloor, outboxId, type RunSourceOptions, runSource, type WriterEvent } from './index.ts';

const DEADLINE_MS = 5_000;

function scene() {
  const tables = new FakeOutboxTables(systemClock);
  const table = new FakeSourceTable();
  const events: WriterEvent[] = [];
  const options: RunSourceOptions = {
    source: 'orders',
    writerId: 'w',
    lanes: 2,
    startFrom: 'earliest',
    store: createFakeStore({ tables }).writer,
    openReader: async () => new FakeSourceReader({ table, name: 'orders', topic: 't' }),
    election: createFakeElections({ ttlMs: 5_000, clock: systemClock }).candidate(),
    doorbell: { ring: () => undefined, listen: () => () => undefined, close: async () => undefined },
    clock: systemClock,
    random: () => 0.5,
    limits: { rowsMax: 10, bytesMax: 10_000 },
    pollIntervalMs: 20,
    gapGraceMs: () => 10,
    backoff: { baseMs: 5, maxMs: 10 },
    electionIntervalMs: 10,
    mayLead: () => true,
    shouldHandOver: () => false,
    onEvent: (event) => events.push(event),
  };
  const insert = (count: number) => {
    const transaction = table.begin();
    transaction.insert(Array.from({ length: count }, (_, at) => ({ key: `k${at}`, body: 'x' })));
    transaction.commit();
  };
  const sequence = () => tables.watermarks.get('orders')?.nextSequence ?? 0;
  return { tables, events, options, insert, sequence };
}

/** Runs until `done`, then stops; rejects with the fault that ended it. */
async function runUntil(options: RunSourceOptions, what: string, done: () => boolean): Promise<void> {
  const stop = new AbortController();
  const running = runSource(options, stop.signal);
  const ended = running.then(
    () => true,
    () => true,
  );
  let over = false;
  void ended.then(() => {
    over = true;
  });
  await until(what, () => done() || over, DEADLINE_MS);
  stop.abort();
  await running;
}

const isHalted = (tables: FakeOutboxTables) => tables.watermarks.get('orders')?.state === 'halted';

test('a marker in Kafka that names a sequence not handed out yet halts the source, and nothing is appended', async () => {
  const { options, insert, events, tables } = scene();
  insert(3);
  const readMarkers = async () =>
    new Map([
      [0, laneFloor(0)],
      [1, outboxId(1, 7)],
    ]);
  const told = () => events.some(({ kind }) => kind === 'source-halted');
  await runUntil({ ...options, readMarkers }, 'the halt', () => isHalted(tables) && told());
  const state = tables.watermarks.get('orders');
  assert.equal(state?.cause, 'INVARIANT_BROKEN');
  assert.match(state?.why ?? '', /marker 8796093022215 of lane 1 in Kafka is ahead of its next sequence 1/);
  assert.equal(tables.outbox.size, 0);
  events.length = 0;
  // Another process, which cannot ask Kafka.
  await runUntil({ ...options, readMarkers: async () => null }, 'the halt of before', told);
  assert.equal(tables.outbox.size, 0);
  assert.ok(!events.some(({ kind }) => kind === 'term-begun'));
});

test('markers that fit, that are not there, or that cannot be read do not stop it', async () => {
  for (const markers of [
    new Map([
      [0, -1],
      [1, laneFloor(1)],
    ]),
    new Map<number, number>(),
    null,
  ]) {
    const { options, insert, sequence } = scene();
    insert(3);
    await runUntil({ ...options, readMarkers: async () => markers }, 'three rows', () => sequence() === 4);
    const delivered = new Map([[0, outboxId(0, 3)]]);
    insert(1);
    await runUntil({ ...options, readMarkers: async () => delivered }, 'one more', () => sequence() === 5);
  }
});

test('a sequence below the one this process has handed out itself halts the source, with Kafka or without', async () => {
  const { options, insert, tables, sequence } = scene();
  insert(3);
  let isOlder = false;
  await runUntil(options, 'the halt', () => {
    const state = tables.watermarks.get('orders');
    if (state !== undefined && sequence() === 4 && !isOlder) {
      isOlder = true;
      // A fail-over that lost the append; the term ends with the compare-and-set of the next one.
      tables.watermarks.set('orders', { ...state, nextSequence: 2, position: 1n });
      insert(1);
    }
    return isHalted(tables);
  });
  assert.match(tables.watermarks.get('orders')?.why ?? '', /went back from sequence 4 to 2/);
});
