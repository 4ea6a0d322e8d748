/** Gaps that are held for long: `/healthz` stays 200 and its body tells who holds them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#config';
import type { WriterEvent } from '#outbox';
import { silentLogger } from '#runtime';
import { createHeldGaps } from './held-gaps.ts';
import type { Operator } from './operator.ts';
import { serve } from './serve.ts';
import type { Service } from './service.ts';

const HELD = {
  ...{ kind: 'gaps-held', source: 'orders', ranges: 1, missing: 3n, oldestMs: 61_000, staleMs: 0 },
  ...{ holders: 1, connection: '42', since: '2026-01-01 10:00:00' },
} as const satisfies WriterEvent;
const UNNAMED = { ...HELD, holders: 0, connection: null, since: null } as const;

const linesAfter = (...events: readonly WriterEvent[]): readonly string[] => {
  const held = createHeldGaps();
  for (const event of events) held.note(event);
  return held.lines();
};

test('a transaction that holds gaps for more than a minute is told, with its connection and since when', () => {
  assert.deepEqual(linesAfter({ ...HELD, oldestMs: 59_000 }), []);
  assert.deepEqual(linesAfter(HELD), [
    'source orders: 3 missing ids, the oldest for 61 s: the transaction of connection 42 has been open since 2026-01-01 10:00:00: missing ids stay open; rows are moved all the same; end it if it was forgotten (KILL 42)',
  ]);
  assert.match(linesAfter({ ...HELD, connection: null })[0] ?? '', /prepared XA transaction .* XA RECOVER/);
  assert.match(linesAfter({ ...HELD, oldestMs: 0, staleMs: 61_000 })[0] ?? '', /no fresh list .*stop the program/);
});

test('without a transaction to name a minute is what modes locks and time take as a rule', () => {
  assert.deepEqual(linesAfter({ ...UNNAMED, oldestMs: 119_000 }), []);
  assert.match(linesAfter({ ...UNNAMED, oldestMs: 121_000 })[0] ?? '', /121 s: the grace has not ended/);
});

test('gaps that have closed, and those of a term that ended, are told no more', () => {
  assert.deepEqual(linesAfter(HELD, { ...UNNAMED, ranges: 0, missing: 0n, oldestMs: 0 }), []);
  assert.deepEqual(linesAfter(HELD, { kind: 'term-ended', source: 'orders', why: 'stopped' }), []);
  assert.equal(linesAfter(HELD, { ...HELD, source: 'other' }).length, 2);
});

test('/healthz stays 200 and tells of them', async () => {
  const { config } = loadConfig({
    env: {
      KAFKA_ROW_SENDER_DB_USER: 'relay',
      KAFKA_ROW_SENDER_DB_NAME: 'shop',
      KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
      KAFKA_ROW_SENDER_KAFKA_TOPIC: 'orders',
      KAFKA_ROW_SENDER_HTTP_PORT: '0',
    },
  });
  let port = 0;
  const logger = {
    ...silentLogger,
    info: (facts: object) => {
      if ('port' in facts) port = Number(facts.port);
    },
  };
  const service = { config, logger, instanceId: 'one', signal: new AbortController().signal } as unknown as Service;
  const served = await serve(service, {} as Operator, { writer: true, sender: false });
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    return { status: answer.status, ...((await answer.json()) as { healthy: boolean; notes: readonly string[] }) };
  };
  try {
    assert.deepEqual(await ask(), { status: 200, healthy: true, reasons: [], notes: [], stalls: [] });
    served.onWriterEvent(HELD);
    const { status, healthy, notes } = await ask();
    assert.deepEqual({ status, healthy }, { status: 200, healthy: true });
    assert.match(notes[0] ?? '', /^source orders: 3 missing ids.* connection 42 .* since 2026-01-01 10:00:00/);
  } finally {
    await served.close();
  }
});
