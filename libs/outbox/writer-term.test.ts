/** One step after another of a writer's term, on fakes whose answers the test times. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '#runtime';
import { createFakeStore, FakeOutboxTables, FakeSourceReader, FakeSourceTable } from '#testkit';
import type { GapMode } from './ports.ts';
import { WriterTerm } from './writer-term.ts';

const GRACE_MS = 1_000;

async function termOn(gapMode: GapMode, onRead: (table: FakeSourceTable, pass: (ms: number) => void) => void) {
  let nowMs = 0;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const table = new FakeSourceTable();
  const gate = async (name: string) => {
    if (name === 'source.readAfter') onRead(table, pass);
  };
  const reader = new FakeSourceReader({ table, name: 's', topic: 't', gapMode, gate });
  const tables = new FakeOutboxTables(clock);
  const { writer } = createFakeStore({ tables });
  const lanes = await writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const state = await writer.beginTerm('s', 'w');
  const limits = { rowsMax: 10, bytesMax: 1_000 };
  const onEvent = () => undefined;
  const term = new WriterTerm(
    { store: writer, reader, clock, limits, gapGraceMs: GRACE_MS, gapsMax: 10, probesMax: 10, onEvent },
    state,
    lanes,
  );
  return { term, table, tables, pass };
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

describe('the pace of an idle writer (I1)', () => {
  test('a gap found empty says when it must be looked at again', async () => {
    const { term, table, pass } = await termOn('locks', () => undefined);
    const rolledBack = table.begin();
    rolledBack.insert([{ key: 'k', body: 'gone' }]);
    const kept = table.begin();
    kept.insert([{ key: 'k', body: 'kept' }]);
    kept.commit();
    await term.step();
    assert.equal(term.evidenceDueInMs, null, 'locked is no evidence');
    rolledBack.rollback();
    pass(5_000);
    await term.step();
    const dueInMs = term.evidenceDueInMs;
    assert.ok(dueInMs !== null && dueInMs > 0 && dueInMs <= GRACE_MS, `${dueInMs}`);
  });
});
