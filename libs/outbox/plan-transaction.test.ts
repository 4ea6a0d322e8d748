import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acquit, blame } from './blame-rows.ts';
import { outboxId } from './lane.ts';
import { expectWaiting, keyText, type LaneHold, newHold } from './lane-hold.ts';
import { type PlanContext, PROBE_ROWS, planTransaction } from './plan-transaction.ts';
import type { AsideHead, LaneBatch, OutboxRow } from './ports.ts';
import type { RouteOf } from './routes.ts';

const hold = (lane: number): LaneHold =>
  newHold({ lane, source: 'orders', claimEpoch: 1, deliveredId: null, fenceIds: [], formerHolder: null }, 0);

const row = (lane: number, sequence: number, facts: Partial<OutboxRow> = {}): OutboxRow => ({
  id: outboxId(lane, sequence),
  eventId: `orders:${sequence}`,
  topic: 't',
  key: Buffer.from('k'),
  value: Buffer.from('{}'),
  headers: null,
  size: 10,
  ...facts,
});

const batch = (lane: number, rows: OutboxRow[]): LaneBatch => ({ lane, rows, full: false });
const send: RouteOf = () => 'send';
const BOUNDS = { rowsMax: 100, bytesMax: 10_000 };

/** The plan of the lanes, by the way that each row takes. */
const planOf = (
  batches: readonly LaneBatch[],
  holds: readonly LaneHold[],
  routeOf: RouteOf = send,
  more: Partial<PlanContext> = {},
) => {
  const all = new Map(holds.map((each) => [each.lane, each]));
  return planTransaction(batches, { holds: all, routeOf, othersFlow: true, bounds: BOUNDS, ...more });
};

/** Rows of the topic `away` wait for it. */
const away: RouteOf = (_, { topic }) => (topic === 'away' ? { waitsFor: 'away' } : 'send');
const idsOf = (rows: readonly { readonly row: OutboxRow }[] = []) =>
  rows.map(({ row: { id } }) => id - outboxId(0, 1) + 1);

describe('planTransaction', () => {
  it('carries all lanes, each with the marker of its last row', () => {
    const plan = planOf([batch(0, [row(0, 1), row(0, 4)]), batch(3, [row(3, 2)])], [hold(0), hold(3)]);
    assert.deepEqual(plan.markers, [
      { kind: 'lane', lane: 0, value: outboxId(0, 4) },
      { kind: 'lane', lane: 3, value: outboxId(3, 2) },
    ]);
    assert.deepEqual(
      plan.records.map((record) => record.headers['outbox-id']),
      [1, 4].map((n) => String(outboxId(0, n))).concat(String(outboxId(3, 2))),
    );
  });

  it('leaves out a lane that is not held any more', () => {
    const plan = planOf([batch(1, [row(1, 1)])], [hold(0)]);
    assert.equal(plan.records.length + plan.markers.length, 0);
  });

  it('sets rows of a topic that is away aside where rows of others are behind them', () => {
    const rows = [row(0, 1), row(0, 2, { topic: 'away' }), row(0, 3)];
    const held = hold(0);
    const plan = planOf([batch(0, rows)], [held], away);
    assert.deepEqual(idsOf(plan.aside.get(held)), [2]);
    assert.equal(plan.records.length, 2);
    assert.equal(plan.markers[0]?.value, outboxId(0, 3));
  });

  it('moves no more than a few rows to try a target with where nothing is behind them', () => {
    const held = hold(0);
    const rows = Array.from({ length: PROBE_ROWS + 5 }, (_, at) => row(0, at + 2, { topic: 'away' }));
    const plan = planOf([batch(0, [row(0, 1), ...rows])], [held], away);
    assert.equal(plan.aside.get(held)?.length, PROBE_ROWS);
    assert.equal(plan.markers[0]?.value, outboxId(0, PROBE_ROWS + 1));
    expectWaiting(held, 'away', rows.slice(0, PROBE_ROWS));
    const again = planOf([batch(0, rows.slice(PROBE_ROWS))], [held], away);
    assert.equal(again.lanes.length, 0, 'the others wait in the outbox');
  });

  it('looks through a lane that shows blocked rows only, unless everything is blocked', () => {
    const rows = Array.from({ length: PROBE_ROWS + 5 }, (_, at) => row(0, at + 1, { topic: 'away' }));
    const full = { ...batch(0, rows), full: true };
    const held = hold(0);
    assert.equal(planOf([full], [held], away).aside.get(held)?.length, rows.length);
    assert.equal(planOf([full], [held], away, { othersFlow: false }).aside.get(held)?.length, PROBE_ROWS);
  });

  it('cuts a lane before a target that has been failing for a moment, and where too much waits aside', () => {
    const held = hold(0);
    const rows = [row(0, 1), row(0, 2, { topic: 'away' }), row(0, 3)];
    const paused = planOf([batch(0, rows)], [held], (_, { topic }) => (topic === 'away' ? 'pause' : 'send'));
    assert.equal(paused.markers[0]?.value, outboxId(0, 1));
    const many = Array.from({ length: 150 }, (_, at) => row(0, at + 1, { topic: at === 149 ? 't' : 'away' }));
    assert.equal(planOf([batch(0, many)], [held], away).aside.get(held)?.length, PROBE_ROWS, 'the bound is 100 rows');
  });

  it('parks rows behind a row of their key that is aside, and lets the marker pass them', () => {
    const held = hold(0);
    const head = {
      ...row(0, 1),
      lane: 0,
      state: 'retrying',
      attempts: 1,
      dueInMs: 0,
      attemptToken: 0,
      waitsFor: null,
    } as unknown as AsideHead;
    held.parked.set(keyText(Buffer.from('k')), head);
    const rows = [row(0, 2), row(0, 3, { key: Buffer.from('other') }), row(0, 4)];
    const plan = planOf([batch(0, rows)], [held]);
    assert.deepEqual(
      plan.aside.get(held)?.map((each) => [each.row.id, each.waitsFor]),
      [
        [outboxId(0, 2), null],
        [outboxId(0, 4), null],
      ],
    );
    assert.deepEqual(
      plan.records.map((record) => record.spread),
      [outboxId(0, 3)],
    );
    assert.equal(plan.markers[0]?.value, outboxId(0, 4));
  });

  it('does not send a row without a key again that is aside already', () => {
    const held = hold(0);
    held.asideIds.set(outboxId(0, 2), {} as AsideHead);
    const plan = planOf([batch(0, [row(0, 2, { key: null }), row(0, 3, { key: null })])], [held]);
    assert.deepEqual(
      plan.records.map((record) => record.spread),
      [outboxId(0, 3)],
    );
  });

  it('lets the fixed headers win over a row`s own', () => {
    const headers = { id: 'forged', trace: 'x', 'content-type': 'text/plain' };
    const plan = planOf([batch(0, [row(0, 1, { headers })])], [hold(0)]);
    assert.deepEqual(plan.records[0]?.headers, {
      'content-type': 'text/plain',
      id: 'orders:1',
      trace: 'x',
      'outbox-id': '1',
      source: 'orders',
      lane: '0',
    });
  });
});

describe('blame', () => {
  it('puts every lane on probation first, then halves, until the row is alone', () => {
    const a = hold(0);
    const b = hold(1);
    const all = planOf(
      [
        batch(
          0,
          [1, 2, 3, 4].map((n) => row(0, n)),
        ),
        batch(1, [row(1, 1)]),
      ],
      [a, b],
    );
    assert.equal(blame(all, null), null);
    assert.equal(a.probation?.rowsMax, 4);
    assert.equal(b.probation?.rowsMax, 1);
    const four = planOf(
      [
        batch(
          0,
          [1, 2, 3, 4].map((n) => row(0, n)),
        ),
      ],
      [a],
    );
    assert.equal(blame(four, null), null);
    assert.equal(a.probation?.rowsMax, 2);
    const one = planOf([batch(0, [row(0, 1)])], [a]);
    assert.equal(blame(one, null)?.row.id, outboxId(0, 1));
  });

  it('suspects only lanes with rows of the topic that the broker named', () => {
    const a = hold(0);
    const b = hold(1);
    const plan = planOf([batch(0, [row(0, 1), row(0, 2)]), batch(1, [row(1, 1, { topic: 'u' })])], [a, b]);
    blame(plan, { topic: 't', partition: null, targets: [] });
    assert.notEqual(a.probation, null);
    assert.equal(b.probation, null);
  });

  it('acquits a lane only when it got past everything suspected', () => {
    const a = hold(0);
    a.probation = { rowsMax: 2, untilId: 10 };
    a.marker = 5;
    acquit(a);
    assert.deepEqual(a.probation, { rowsMax: 4, untilId: 10 });
    a.marker = 10;
    acquit(a);
    assert.equal(a.probation, null);
  });
});
