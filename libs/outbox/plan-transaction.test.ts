import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acquit, blame } from './blame-rows.ts';
import { outboxId } from './lane.ts';
import { keyText, type LaneHold, newHold } from './lane-hold.ts';
import { planTransaction } from './plan-transaction.ts';
import type { AsideHead, LaneBatch, OutboxRow } from './ports.ts';

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
const never = () => false;
const holdsOf = (...holds: LaneHold[]) => new Map(holds.map((each) => [each.lane, each]));

describe('planTransaction', () => {
  it('carries all lanes, each with the marker of its last row', () => {
    const plan = planTransaction(
      [batch(0, [row(0, 1), row(0, 4)]), batch(3, [row(3, 2)])],
      holdsOf(hold(0), hold(3)),
      never,
    );
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
    const plan = planTransaction([batch(1, [row(1, 1)])], holdsOf(hold(0)), never);
    assert.equal(plan.records.length + plan.markers.length, 0);
  });

  it('cuts a lane before the first row of a topic that is away, and never skips it', () => {
    const rows = [row(0, 1), row(0, 2, { topic: 'away' }), row(0, 3)];
    const plan = planTransaction([batch(0, rows)], holdsOf(hold(0)), (topic) => topic === 'away');
    assert.equal(plan.records.length, 1);
    assert.equal(plan.markers[0]?.value, outboxId(0, 1));
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
    } as unknown as AsideHead;
    held.parked.set(keyText(Buffer.from('k')), head);
    const rows = [row(0, 2), row(0, 3, { key: Buffer.from('other') }), row(0, 4)];
    const plan = planTransaction([batch(0, rows)], holdsOf(held), never);
    assert.deepEqual(
      plan.toPark.get(held)?.map((each) => each.id),
      [outboxId(0, 2), outboxId(0, 4)],
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
    const plan = planTransaction(
      [batch(0, [row(0, 2, { key: null }), row(0, 3, { key: null })])],
      holdsOf(held),
      never,
    );
    assert.deepEqual(
      plan.records.map((record) => record.spread),
      [outboxId(0, 3)],
    );
  });

  it('lets the fixed headers win over a row`s own', () => {
    const headers = { id: 'forged', trace: 'x', 'content-type': 'text/plain' };
    const plan = planTransaction([batch(0, [row(0, 1, { headers })])], holdsOf(hold(0)), never);
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
    const all = planTransaction(
      [
        batch(
          0,
          [1, 2, 3, 4].map((n) => row(0, n)),
        ),
        batch(1, [row(1, 1)]),
      ],
      holdsOf(a, b),
      never,
    );
    assert.equal(blame(all, null), null);
    assert.equal(a.probation?.rowsMax, 4);
    assert.equal(b.probation?.rowsMax, 1);
    const four = planTransaction(
      [
        batch(
          0,
          [1, 2, 3, 4].map((n) => row(0, n)),
        ),
      ],
      holdsOf(a),
      never,
    );
    assert.equal(blame(four, null), null);
    assert.equal(a.probation?.rowsMax, 2);
    const one = planTransaction([batch(0, [row(0, 1)])], holdsOf(a), never);
    assert.equal(blame(one, null)?.row.id, outboxId(0, 1));
  });

  it('suspects only lanes with rows of the topic that the broker named', () => {
    const a = hold(0);
    const b = hold(1);
    const plan = planTransaction(
      [batch(0, [row(0, 1), row(0, 2)]), batch(1, [row(1, 1, { topic: 'u' })])],
      holdsOf(a, b),
      never,
    );
    blame(plan, { topic: 't', partition: null });
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
