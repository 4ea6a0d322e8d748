/** The store contract: rows set aside. */
import assert from 'node:assert/strict';
import { laneFloor, type OutboxRow, outboxId } from '#outbox';
import { message, START, type StoreCheck, type StoreWorld } from './store-contract-world.ts';

const LEASE_MS = 15_000;

function row(lane: number, sequence: number, key: string | null): OutboxRow {
  const value = Buffer.from([0, 1, 255]);
  const bytes = key === null ? null : Buffer.from(key);
  return {
    ...message(lane, sequence, { key: bytes, value, headers: { h: 'ü' } }),
    size: 3 + (bytes?.length ?? 0) + 10,
  };
}

const aside = (each: OutboxRow, state: 'retrying' | 'parked' | 'dead' = 'retrying', dueInMs = 5_000) => ({
  row: each,
  state,
  error: 'refused',
  dueInMs,
});

/** Two lanes held by `a`, and their claim epoch. */
async function hold({ one }: StoreWorld): Promise<number> {
  await one.writer.registerSource({ source: 'orders', ...START, lanes: 2 });
  const claims = [await one.sender.claimLane(0, 'a', LEASE_MS), await one.sender.claimLane(1, 'a', LEASE_MS)];
  assert.ok(claims.every((claim) => claim?.claimEpoch === 1));
  return 1;
}

const headsOf = async ({ other }: StoreWorld, lanes: readonly number[], rowsMax = 100) =>
  (await other.sender.listAsideHeads(lanes, rowsMax)).map(({ id, lane }) => [lane, id - laneFloor(lane)]);

export function checkAside(check: StoreCheck): void {
  checkCopies(check);
  checkHeads(check);
  checkAttempts(check);
}

function checkCopies(check: StoreCheck): void {
  check('a row set aside comes back as it was, with its due time by the database’s clock', async (world) => {
    const epoch = await hold(world);
    const written = row(0, 4, 'k');
    assert.equal(await world.one.sender.setAside(0, epoch, [aside(written)]), true);
    const [head] = await world.other.sender.listAsideHeads([0, 1], 10);
    assert.ok(head !== undefined);
    const { dueInMs, valueBytes, ...rest } = head;
    const { value, headers, ...known } = written;
    const facts = { lane: 0, state: 'retrying', attempts: 0, attemptToken: 0 } as const;
    assert.deepEqual(rest, { ...known, ...facts }, 'a head has no payload: thousands of them are kept at hand');
    assert.equal(valueBytes, value?.length);
    const whole = await world.other.sender.readAside(written.id);
    assert.deepEqual({ ...whole, dueInMs: 0 }, { ...known, ...facts, value, headers, dueInMs: 0 });
    assert.equal(await world.other.sender.readAside(written.id + 1), null);
    assert.ok(dueInMs > 0 && dueInMs <= 5_000, `${dueInMs} ms`);
    await world.elapse(6_000);
    const [due] = await world.other.sender.listAsideHeads([0], 10);
    assert.ok(due !== undefined && due.dueInMs <= 0);
    assert.deepEqual(await headsOf(world, [1]), []);
    assert.deepEqual(await headsOf(world, []), []);
  });

  check('a row already aside stays as it is', async (world) => {
    const epoch = await hold(world);
    await world.one.sender.setAside(0, epoch, [aside(row(0, 4, 'k'))]);
    await world.one.sender.failAttempts(0, epoch, [outboxId(0, 4)], { error: 'again', dueInMs: 0, state: 'retrying' });
    assert.equal(
      await world.one.sender.setAside(0, epoch, [aside(row(0, 4, 'k'), 'parked'), aside(row(0, 5, 'k'))]),
      true,
    );
    const [head] = await world.other.sender.listAsideHeads([0], 10);
    assert.deepEqual([head?.attempts, head?.state], [1, 'retrying']);
  });
}

function checkHeads(check: StoreCheck): void {
  check('I5: of each key only the lowest row is a head; rows without a key are heads each', async (world) => {
    const epoch = await hold(world);
    const long = 'l'.repeat(5_000);
    await world.one.sender.setAside(0, epoch, [
      aside(row(0, 9, 'a'), 'parked'),
      aside(row(0, 3, 'a')),
      aside(row(0, 5, 'A')),
      aside(row(0, 6, null)),
      aside(row(0, 7, null)),
      aside(row(0, 8, '')),
      aside(row(0, 10, '')),
      aside(row(0, 11, `${long}1`)),
      aside(row(0, 12, `${long}2`)),
    ]);
    await world.one.sender.setAside(1, epoch, [aside(row(1, 4, 'a'), 'parked')]);
    const lane0 = [3, 5, 6, 7, 8, 11, 12].map((sequence) => [0, sequence]);
    assert.deepEqual(await headsOf(world, [0, 1]), [...lane0, [1, 4]]);
    assert.deepEqual(await headsOf(world, [0, 1], 2), [
      [0, 3],
      [0, 5],
    ]);
    await world.one.sender.removeAside(outboxId(0, 3));
    assert.deepEqual((await headsOf(world, [0])).at(4), [0, 9], 'the next row of the key steps up');
  });

  check('a dead row is no head, and does not hold up its key', async (world) => {
    const epoch = await hold(world);
    await world.one.sender.setAside(0, epoch, [
      aside(row(0, 1, 'a')),
      aside(row(0, 2, 'a')),
      aside(row(0, 3, null), 'dead'),
    ]);
    assert.deepEqual(await headsOf(world, [0]), [[0, 1]]);
    const outcome = { error: 'too large', dueInMs: 0, state: 'dead' } as const;
    assert.equal(await world.one.sender.failAttempts(0, epoch, [outboxId(0, 1)], outcome), true);
    assert.deepEqual(await headsOf(world, [0]), [[0, 2]]);
    assert.equal(await world.one.sender.beginAttempt(0, epoch, outboxId(0, 1), 7), false, 'a dead row is not tried');
  });
}

function checkAttempts(check: StoreCheck): void {
  check('I4: an attempt’s token is kept until its outcome is known', async (world) => {
    const epoch = await hold(world);
    const id = outboxId(0, 1);
    await world.one.sender.setAside(0, epoch, [aside(row(0, 1, 'a'))]);
    assert.equal(await world.one.sender.beginAttempt(0, epoch, id, 41), true);
    assert.equal((await world.other.sender.listAsideHeads([0], 1))[0]?.attemptToken, 41);
    await world.one.sender.failAttempts(0, epoch, [id], {
      error: 'e'.repeat(10_000),
      dueInMs: 1_000,
      state: 'retrying',
    });
    const [failed] = await world.other.sender.listAsideHeads([0], 1);
    assert.deepEqual([failed?.attemptToken, failed?.attempts, failed?.state], [0, 1, 'retrying']);
    await world.one.sender.beginAttempt(0, epoch, id, 42);
    assert.equal(await world.one.sender.beginAttempt(0, epoch, id, 0), true, 'no attempt is open after all');
    const [again] = await world.other.sender.listAsideHeads([0], 1);
    assert.deepEqual([again?.attemptToken, again?.attempts], [0, 1]);
    await world.one.sender.removeAside(id);
    await world.one.sender.removeAside(id);
    assert.equal(await world.one.sender.beginAttempt(0, epoch, id, 42), false, 'a row that is gone is not tried');
    assert.deepEqual(await headsOf(world, [0]), []);
  });

  check('attempts of several rows fail together, each by one', async (world) => {
    const epoch = await hold(world);
    await world.one.sender.setAside(0, epoch, [aside(row(0, 1, 'a')), aside(row(0, 2, 'b')), aside(row(0, 3, 'c'))]);
    const outcome = { error: 'too large', dueInMs: 1_000, state: 'retrying' } as const;
    const ids = [1, 3, 9].map((sequence) => outboxId(0, sequence));
    assert.equal(await world.one.sender.failAttempts(0, epoch, ids, outcome), true);
    const heads = await world.other.sender.listAsideHeads([0], 10);
    assert.deepEqual(heads.map(({ attempts }) => attempts), [1, 0, 1]); // biome-ignore format: one line
    assert.equal(await world.one.sender.failAttempts(0, epoch, [outboxId(0, 9)], outcome), false, 'none is there');
  });

  check('I4: a sender whose lane was taken changes nothing aside any more', async (world) => {
    const epoch = await hold(world);
    await world.one.sender.setAside(0, epoch, [aside(row(0, 1, 'a'))]);
    await world.elapse(LEASE_MS + 1);
    assert.equal((await world.other.sender.claimLane(0, 'b', LEASE_MS))?.claimEpoch, epoch + 1);
    const id = outboxId(0, 1);
    assert.equal(await world.one.sender.setAside(0, epoch, [aside(row(0, 2, 'b'))]), false);
    assert.equal(await world.one.sender.beginAttempt(0, epoch, id, 41), false);
    assert.equal(
      await world.one.sender.failAttempts(0, epoch, [id], { error: 'late', dueInMs: 0, state: 'dead' }),
      false,
    );
    const heads = await world.other.sender.listAsideHeads([0], 10);
    assert.deepEqual(
      heads.map(({ id: each, attempts, attemptToken }) => [each, attempts, attemptToken]),
      [[id, 0, 0]],
    );
  });
}
