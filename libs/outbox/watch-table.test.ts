/** What a leader sees of a table that is not what it was, and how an operator's word goes on from it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Clock, systemClock } from '#runtime';
import { createFakeStore, FakeOutboxTables, FakeSourceReader, FakeSourceTable } from '#testkit';
import {
  type AcceptFrom,
  NO_FACTS,
  openTerm,
  planAcceptance,
  type RunSourceOptions,
  type WriterEvent,
  type WriterTerm,
} from './index.ts';

/** Above the time between two looks. */
const PAUSE_MS = 5_000;

interface Scene {
  readonly table: FakeSourceTable;
  readonly tables: FakeOutboxTables;
  readonly events: WriterEvent[];
  insert(tag: string, count: number): void;
  term(): Promise<WriterTerm>;
  /** Steps until nothing is left, with time for a look before and after. */
  drain(term: WriterTerm): Promise<void>;
  state(): { readonly state: string; readonly cause: string | null; readonly position: bigint };
  accept(from: AcceptFrom | null): ReturnType<typeof planAcceptance>;
}

function open(): Scene {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const table = new FakeSourceTable();
  const tables = new FakeOutboxTables(clock);
  const { writer: store } = createFakeStore({ tables });
  const events: WriterEvent[] = [];
  const reader = () => new FakeSourceReader({ table, name: 's', topic: 't' });
  const options = {
    source: 's',
    writerId: 'w',
    lanes: 1,
    startFrom: 'earliest',
    store,
    openReader: async () => reader(),
    clock,
    limits: { rowsMax: 50, bytesMax: 100_000 },
    gapGraceMs: () => 1_000,
    onEvent: (event: WriterEvent) => events.push(event),
  } as unknown as RunSourceOptions;
  return {
    table,
    tables,
    events,
    insert(tag, count) {
      const transaction = table.begin();
      transaction.insert(Array.from({ length: count }, (_, at) => ({ key: `${tag}${at}`, body: `${tag} ${at}` })));
      transaction.commit();
    },
    term: () => openTerm(options, { nextSequence: 0 }),
    async drain(term) {
      nowMs += PAUSE_MS;
      while ((await term.step()).kind === 'moved');
      nowMs += PAUSE_MS;
      await term.step();
    },
    state: () => tables.watermarks.get('s') ?? { state: 'none', cause: null, position: -1n },
    async accept(from) {
      const state = await store.loadWatermark('s');
      assert.ok(state);
      const facts = (await store.loadTableFacts('s')) ?? NO_FACTS;
      const plan = await planAcceptance({ state, facts, gaps: await store.loadGaps('s'), reader: reader(), from });
      if (plan.kind === 'ready') assert.ok(await store.acceptSource(plan.acceptance));
      return plan;
    },
  };
}

const eventIds = (tables: FakeOutboxTables): string[] => [...tables.outbox.values()].map(({ eventId }) => eventId);
const HALTED = { code: 'SOURCE_HALTED' };

describe('I8: a table that went back halts the source', () => {
  test('its next id is below the position: no later term leads, and accept reads every row under ids of its own', async () => {
    const scene = open();
    scene.insert('a', 20);
    const term = await scene.term();
    await scene.drain(term);
    scene.table.truncate();
    scene.insert('b', 5);
    await assert.rejects(scene.drain(term), HALTED);
    assert.deepEqual([scene.state().state, scene.state().cause], ['halted', 'SOURCE_WENT_BACK']);
    await assert.rejects(scene.term(), HALTED);
    scene.insert('b', 95);
    await assert.rejects(scene.term(), HALTED, 'also when ids have passed the position again');
    assert.equal((await scene.accept(null)).kind, 'ready');
    assert.deepEqual(await term.step(), { kind: 'fenced' }, 'a leader of before');
    await scene.drain(await scene.term());
    const wanted = [
      ...Array.from({ length: 20 }, (_, at) => `s:${at + 1}`),
      ...Array.from({ length: 100 }, (_, at) => `s:2:${at + 1}`),
    ];
    assert.deepEqual(eventIds(scene.tables), wanted);
  });

  test('ids passed the position between two looks, or between two terms: the data tell it', async () => {
    for (const isNewTerm of [false, true]) {
      const scene = open();
      scene.insert('a', 20);
      const term = await scene.term();
      await scene.drain(term);
      scene.table.truncate();
      scene.insert('b', 50);
      await assert.rejects(isNewTerm ? scene.drain(await scene.term()) : scene.drain(term), HALTED);
      assert.equal(scene.state().position, 20n, 'nothing was moved first');
    }
  });

  test('rows of a table that was made anew are not moved before the look, however soon they come', async () => {
    for (const change of ['truncate', 'cut'] as const) {
      const scene = open();
      scene.insert('a', 20);
      const term = await scene.term();
      await scene.drain(term);
      if (change === 'truncate') scene.table.truncate();
      else scene.table.cut(5n);
      scene.insert('b', 50);
      // No time has passed: no look is due.
      await assert.rejects(term.step(), HALTED, change);
      assert.equal(scene.state().position, 20n, change);
    }
  });

  test('a cut among the rows looked at is told exactly, and the late rows of gaps below it come still', async () => {
    const scene = open();
    scene.insert('a', 10);
    const late = scene.table.begin();
    late.insert([{ key: 'late', body: 'late' }]);
    scene.insert('a', 29);
    const term = await scene.term();
    await scene.drain(term);
    scene.table.cut(31n);
    scene.insert('b', 3);
    await assert.rejects(scene.drain(term), HALTED);
    const plan = await scene.accept(null);
    assert.equal(plan.kind === 'ready' ? plan.acceptance.position : plan.kind, 30n);
    const next = await scene.term();
    await scene.drain(next);
    late.commit();
    await scene.drain(next);
    assert.deepEqual(eventIds(scene.tables).slice(39), ['s:2:31', 's:2:32', 's:2:33', 's:11']);
  });

  test('a cut below the rows looked at is not guessed, and --from says it', async () => {
    const scene = open();
    scene.insert('a', 200);
    const term = await scene.term();
    await scene.drain(term);
    scene.table.cut(51n);
    scene.insert('b', 3);
    await assert.rejects(scene.drain(term), HALTED);
    assert.equal((await scene.accept(null)).kind, 'undecided');
    assert.equal((await scene.accept(60n)).kind, 'refused', 'beyond the next id');
    assert.equal((await scene.accept('next')).kind, 'refused');
    assert.equal(scene.state().state, 'halted');
    assert.equal((await scene.accept(51n)).kind, 'ready');
    await scene.drain(await scene.term());
    assert.deepEqual(eventIds(scene.tables).slice(200), ['s:2:51', 's:2:52', 's:2:53']);
  });

  test('one leader that was taken over meanwhile does not halt its successor', async () => {
    const scene = open();
    scene.insert('a', 20);
    const term = await scene.term();
    await scene.drain(term);
    await scene.term();
    scene.table.truncate();
    await scene.drain(term);
    assert.equal(scene.state().state, 'running');
  });
});

describe('what halts nothing', () => {
  test('rows deleted at the top or all of them, as long as ids go on', async () => {
    const scene = open();
    scene.insert('a', 30);
    const term = await scene.term();
    await scene.drain(term);
    scene.table.touch();
    for (const id of [...scene.table.rows.keys()]) if (id > 5n) scene.table.rows.delete(id);
    await scene.drain(term);
    scene.insert('b', 3);
    await scene.drain(term);
    scene.table.touch();
    scene.table.rows.clear();
    await scene.drain(await scene.term());
    assert.equal(scene.state().position, 33n);
  });

  test('a START_FROM beyond the next id', async () => {
    const scene = open();
    const { writer } = createFakeStore({ tables: scene.tables });
    await writer.registerSource({ source: 's', position: 999n, gaps: [], lanes: 1 });
    scene.insert('a', 3);
    await scene.drain(await scene.term());
    await scene.drain(await scene.term());
    assert.equal(scene.state().state, 'running');
  });
});

test('a column of another type is told, and one that is added is written down', async () => {
  const scene = open();
  scene.insert('a', 3);
  await scene.drain(await scene.term());
  scene.table.columns = [
    { name: 'id', type: 'text' },
    { name: 'k', type: 'json' },
    { name: 'body', type: 'text' },
    { name: 'more', type: 'text' },
  ];
  await scene.drain(await scene.term());
  const told = scene.events.filter(({ kind }) => kind === 'column-type-changed');
  assert.deepEqual(told, [{ kind: 'column-type-changed', source: 's', column: 'k', from: 'text', to: 'json' }]);
  assert.deepEqual(scene.tables.tableFacts.get('s')?.columns, scene.table.columns);
});
