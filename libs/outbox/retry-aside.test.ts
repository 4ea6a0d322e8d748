/** Which row set aside is tried next. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '#runtime';
import { AsideRounds } from './aside-rounds.ts';
import type { HeldLanes } from './held-lanes.ts';
import { outboxId } from './lane.ts';
import { adoptAsideHeads, newHold } from './lane-hold.ts';
import type { AsideHead } from './ports.ts';
import { dueHeads, nextHeadDueInMs } from './retry-aside.ts';
import type { Routes } from './routes.ts';
import type { SenderOptions } from './sender-options.ts';
import { TopicNotes } from './sent-topics.ts';
import type { WaitingRounds } from './waiting-rounds.ts';

const firstDue = (...of: Parameters<typeof dueHeads>) => dueHeads(...of)[0] ?? null;

const LANE = 0;
const TRIM_INTERVAL_MS = 200;
const options = {
  clock: { ...systemClock, nowMs: () => 0 },
  retriesMax: 3,
  trimIntervalMs: TRIM_INTERVAL_MS,
} as unknown as SenderOptions;

function holdWith(marker: number, ...rows: Partial<AsideHead>[]) {
  const claim = { lane: LANE, source: 's', claimEpoch: 1, deliveredId: 0, fenceIds: [], formerHolder: null };
  const hold = newHold(claim, outboxId(LANE, marker));
  const heads = rows.map((row, at) => ({
    id: outboxId(LANE, at + 1),
    eventId: `s:${at + 1}`,
    topic: 't',
    key: Buffer.from(`key ${at}`),
    valueBytes: null,
    size: 1,
    lane: LANE,
    state: 'retrying' as const,
    attempts: 0,
    dueInMs: 0,
    attemptToken: 0,
    waitsFor: null,
    ...row,
  }));
  adoptAsideHeads(hold, heads, 0);
  return hold;
}

describe('the row that is tried next', () => {
  const isAway = ({ topic }: { readonly topic: string }) => topic === 'away';
  const none = () => false;

  test('a row of a topic that is away does not hold up the others', () => {
    const hold = holdWith(9, { topic: 'away' }, { topic: 't' });
    assert.equal(firstDue(hold, options, isAway)?.topic, 't');
    assert.equal(firstDue(hold, options, none)?.topic, 'away');
  });

  test('a row that the marker has not passed is not tried, and nobody stays awake for it (I4)', () => {
    const hold = holdWith(1, { id: outboxId(LANE, 5) });
    assert.equal(firstDue(hold, options, none), null);
    assert.equal(nextHeadDueInMs(hold, options, none), null);
  });

  test('a row is not tried before its marker is there to stay: were it lost, the row would come again (I4)', () => {
    const hold = holdWith(9, { dueInMs: 40 });
    hold.settled = outboxId(LANE, 1) - 1;
    assert.equal(firstDue(hold, { ...options, clock: { ...systemClock, nowMs: () => 50 } }, none), null);
    assert.equal(nextHeadDueInMs(hold, options, none), TRIM_INTERVAL_MS, 'markers settle as lanes are trimmed');
    hold.settled = outboxId(LANE, 1);
    assert.equal(firstDue(hold, { ...options, clock: { ...systemClock, nowMs: () => 50 } }, none)?.id, hold.settled);
  });

  test('nobody stays awake for a topic that is away', () => {
    assert.equal(nextHeadDueInMs(holdWith(9, { topic: 'away' }), options, isAway), null);
    assert.equal(nextHeadDueInMs(holdWith(9, { dueInMs: 40 }), options, none), 40);
  });

  test('a row that comes again in front of the one its key waits for makes the heads be read anew (I5)', async () => {
    const store = { setAside: async () => true };
    const all = { ...options, store } as unknown as SenderOptions;
    const parts = {} as HeldLanes & Routes & WaitingRounds;
    const rounds = new AsideRounds(all, parts, new TopicNotes(all), parts, parts);
    const hold = holdWith(1, { id: outboxId(LANE, 3) });
    const head = { ...([...hold.parked.values()][0] as AsideHead), value: null, headers: null };
    const behind = (sequence: number) => ({ row: { ...head, id: outboxId(LANE, sequence) }, waitsFor: null });
    assert.equal(await rounds.setAside(hold, [behind(4)]), true);
    assert.equal(hold.asideReadAtMs, 0, 'what waits behind the head changes nothing');
    await rounds.setAside(hold, [behind(2)]);
    assert.equal(hold.asideReadAtMs, null);
  });
});
