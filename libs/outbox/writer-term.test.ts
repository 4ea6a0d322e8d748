/** One step after another of a writer's term, on fakes whose answers the test times. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '#runtime';
import { createFakeStore, FakeOutboxTables, FakeSourceReader, FakeSourceTable } from '#testkit';
import type { GapMode } from './ports.ts';
import { NO_FACTS } from './table-facts.ts';
import { WatchTable } from './watch-table.ts';
import { WriterTerm } from './writer-term.ts';

const GRACE_MS = 1_000;

async function termOn(gapMode: GapMode, onRead: (table: FakeSourceTable, pass: (ms: number) => void) => void) {
  let nowMs = 0;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const table = new FakeSourceTable();
  const calls: string[] = [];
  const gate = async (name: string) => {
    calls.push(name);
    if (name === 'source.readAfter') onRead(table, pass);
  };
  const reader = new FakeSourceReader({ table, name: 's', topic: 't', gapMode, gate });
  const tables = new FakeOutboxTables(clock);
  const { writer } = createFakeStore({ tables });
  const lanes = await writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const state = await writer.beginTerm('s', 'w');
  const limits = { rowsMax: 10, bytesMax: 1_000 };
  const onEvent = () => undefined;
  const watch = new WatchTable({ store: writer, reader, clock, state, facts: NO_FACTS, onTypeChanged: onEvent });
  const term = new WriterTerm(
    { store: writer, reader, watch, clock, limits, gapGraceMs: GRACE_MS, onEvent },
    state,
    [],
    lanes,
  );
  return { term, table, tables, pass, calls };
}

const eventIds = (tables: FakeOutboxTables): string[] => [...tables.outbox.values()].map(({ eventId }) => eventId);

describe('a gap in mode time (I1)', () => {
  test('stays open for the whole grace after it was sighted, however slow the read that sighted it', async () => {
    let reads = 0;
    let late: (() => void) | null = null;
    const { term, tables, pass } = await termOn('time', (table, wait) => {
      reads += 1;
      if (reads > 1) return;
      // The read is under way for almost a grace before the two ids are even handed out.
      wait(GRACE_MS - 100);
      const open = table.begin();
      open.insert([{ key: 'k', body: 'late' }]);
      late = () => open.commit();
      const quick = table.begin();
      quick.insert([{ key: 'k', body: 'quick' }]);
      quick.commit();
    });
    await term.step();
    assert.deepEqual(eventIds(tables), ['s:2']);
    pass(GRACE_MS - 100);
    await term.step();
    (late as unknown as () => void)();
    await term.step();
    assert.deepEqual(eventIds(tables), ['s:2', 's:1']);
  });
});

describe('a gap in mode transactions (I1)', () => {
  test('closes when the transactions listed a grace after it was sighted have ended, and is read before', async () => {
    const { term, table, tables, pass } = await termOn('transactions', () => undefined);
    const slow = table.begin();
    const ids = slow.reserve(2);
    slow.show();
    const quick = table.begin();
    quick.insert([{ key: 'k', body: 'quick' }]);
    quick.commit();
    const idle = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 50) {
        pass(50);
        await term.step();
      }
    };
    await idle(20 * GRACE_MS);
    assert.deepEqual(eventIds(tables), ['s:3']);
    assert.equal(tables.gaps.get('s')?.size, 1, 'its owner has no row, and is still running');
    slow.write(ids, [
      { key: 'k', body: 'late' },
      { key: 'k', body: 'late' },
    ]);
    slow.commit();
    await idle(1_000);
    assert.deepEqual(eventIds(tables), ['s:3', 's:1', 's:2']);
    assert.equal(term.gapsDueInMs, null);
  });

  test('a rollback closes it soon, without a row', async () => {
    const { term, table, tables, pass } = await termOn('transactions', () => undefined);
    const gone = table.begin();
    gone.insert([{ key: 'k', body: 'gone' }]);
    const kept = table.begin();
    kept.insert([{ key: 'k', body: 'kept' }]);
    kept.commit();
    await term.step();
    assert.ok((term.gapsDueInMs ?? Infinity) <= 50, 'a young gap is looked at often');
    gone.rollback();
    for (let passed = 0; passed < 2 * GRACE_MS; passed += 50) {
      pass(50);
      await term.step();
    }
    assert.equal(tables.gaps.get('s')?.size, 0);
    assert.deepEqual(eventIds(tables), ['s:2']);
  });

  test('an idle writer without gaps asks for no lists', async () => {
    const { term, pass, calls } = await termOn('transactions', () => undefined);
    for (let round = 0; round < 20; round += 1) {
      pass(1_000);
      await term.step();
    }
    assert.ok(calls.filter((name) => name === 'source.listTransactions').length <= 1, calls.join(' '));
  });
});
