/** The store contract: rows set aside. */
import assert from 'node:assert/strict';
import { IN_DOUBT, laneFloor, type OutboxRow, outboxId } from '#outbox';
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
  checkQueues(check);
  checkBatches(check);
  checkDoubts(check);
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
    const facts = { lane: 0, state: 'retrying', attempts: 0, attemptToken: 0, waitsFor: null } as const;
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
    await world.one.sender.removeAside([outboxId(0, 3)]);
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
    assert.deepEqual(await world.one.sender.beginAttempt(0, epoch, [outboxId(0, 1)], 7), [], 'a dead row is not tried');
  });
}

function checkAttempts(check: StoreCheck): void {
  check('I4: an attempt’s token is kept until its outcome is known', async (world) => {
    const epoch = await hold(world);
    const id = outboxId(0, 1);
    await world.one.sender.setAside(0, epoch, [aside(row(0, 1, 'a'))]);
    assert.deepEqual(await world.one.sender.beginAttempt(0, epoch, [id], 41), [id]);
    assert.equal((await world.other.sender.listAsideHeads([0], 1))[0]?.attemptToken, 41);
    await world.one.sender.failAttempts(0, epoch, [id], {
      error: 'e'.repeat(10_000),
      dueInMs: 1_000,
      state: 'retrying',
    });
    const [failed] = await world.other.sender.listAsideHeads([0], 1);
    assert.deepEqual([failed?.attemptToken, failed?.attempts, failed?.state], [0, 1, 'retrying']);
    await world.one.sender.beginAttempt(0, epoch, [id], 42);
    assert.equal(await world.one.sender.settleAttempts(0, epoch, { arrived: [], missing: [id] }), true);
    const [again] = await world.other.sender.listAsideHeads([0], 1);
    assert.deepEqual([again?.attemptToken, again?.attempts], [0, 1]);
    await world.one.sender.removeAside([id]);
    await world.one.sender.removeAside([id]);
    assert.deepEqual(await world.one.sender.beginAttempt(0, epoch, [id], 42), [], 'a row that is gone is not tried');
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
    assert.equal(await world.one.sender.beginAttempt(0, epoch, [id], 41), null);
    assert.equal(await world.one.sender.settleAttempts(0, epoch, { arrived: [id], missing: [] }), false);
    assert.equal(await world.one.sender.moveAside(0, epoch, [id], { waitsFor: 't', error: 'late' }), false);
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

const waiting = (each: OutboxRow, waitsFor: string, inDoubt = false) =>
  ({ row: each, state: 'waiting', waitsFor, error: `${waitsFor} is away`, dueInMs: 0, inDoubt }) as const;

const LIMITS = { rowsMax: 100, bytesMax: 1_000_000 };

function checkQueues(check: StoreCheck): void {
  check(
    'I5: rows that wait for a target are no heads, and come back in id order, each queue by itself',
    async (world) => {
      const { sender } = world.one;
      const epoch = await hold(world);
      const many = Array.from({ length: 1_200 }, (_, at) =>
        waiting(row(0, 10 + at, at % 3 === 0 ? null : `k${at % 5}`), 't/3/6'),
      );
      assert.equal(
        await sender.setAside(0, epoch, [...many.toReversed(), waiting(row(0, 4, 'k1'), 'u'), aside(row(0, 5, 'a'))]),
        true,
      );
      await sender.setAside(1, epoch, [waiting(row(1, 2, 'k1'), 't/3/6')]);
      assert.deepEqual(await headsOf(world, [0, 1]), [[0, 5]]);
      const queues = await world.other.sender.listQueues([0, 1]);
      assert.deepEqual(
        queues.map(({ lane, waitsFor, rows, lastId, error }) => [
          lane,
          waitsFor,
          rows,
          lastId - laneFloor(lane),
          error,
        ]),
        [
          [0, 't/3/6', 1_200, 1_209, 't/3/6 is away'],
          [0, 'u', 1, 4, 'u is away'],
          [1, 't/3/6', 1, 2, 't/3/6 is away'],
        ],
      );
      assert.equal(queues[0]?.bytes, many.reduce((sum, entry) => sum + entry.row.size, 0)); // biome-ignore format: one line
      assert.ok((queues[0]?.oldestMs ?? -1) >= 0);
      const upTo = outboxId(0, 900);
      const read = await world.other.sender.readQueue(0, 't/3/6', upTo, { rowsMax: 50, bytesMax: 1_000_000 });
      assert.deepEqual(
        read.map(({ id }) => id - laneFloor(0)),
        Array.from({ length: 50 }, (_, at) => 10 + at),
      );
      const [first] = read;
      assert.deepEqual([first?.state, first?.waitsFor, first?.value?.length], ['waiting', 't/3/6', 3]);
      const size = first?.size ?? 0;
      assert.equal((await sender.readQueue(0, 't/3/6', upTo, { rowsMax: 50, bytesMax: 1 })).length, 1, 'one at least');
      assert.equal((await sender.readQueue(0, 't/3/6', upTo, { rowsMax: 50, bytesMax: size * 2 + 2 })).length, 2);
      assert.equal((await sender.readQueue(0, 't/3/6', outboxId(0, 9), LIMITS)).length, 0);
    },
  );
}

function checkBatches(check: StoreCheck): void {
  check('I4: an attempt of many rows has one token, and takes those of the others away', async (world) => {
    const { sender } = world.one;
    const epoch = await hold(world);
    const ids = [1, 2, 3].map((sequence) => outboxId(0, sequence));
    await sender.setAside(0, epoch, [1, 2, 3, 9].map((sequence) => waiting(row(0, sequence, 'k'), 't'))); // biome-ignore format: one line
    await sender.setAside(1, epoch, [waiting(row(1, 1, 'k'), 't')]);
    await sender.beginAttempt(1, epoch, [outboxId(1, 1)], 5);
    assert.deepEqual(await sender.beginAttempt(0, epoch, [outboxId(0, 9)], 41), [outboxId(0, 9)]);
    await sender.removeAside([outboxId(0, 2)]);
    assert.deepEqual(await sender.beginAttempt(0, epoch, ids, 42), [ids[0], ids[2]], 'what is gone is not sent');
    const open = (await world.other.sender.listAttempts([0, 1])).map(({ id, token, topic }) => [id, token, topic]);
    const topic = row(0, 1, 'k').topic;
    assert.deepEqual(open, [[ids[0], 42, topic], [ids[2], 42, topic], [outboxId(1, 1), 5, topic]]); // biome-ignore format: one line
    assert.equal(
      await sender.settleAttempts(0, epoch, { arrived: [ids[0] as number], missing: [ids[2] as number] }),
      true,
    );
    assert.deepEqual((await sender.listAttempts([0])).length, 0);
    const left = await sender.readQueue(0, 't', outboxId(0, 100), LIMITS);
    assert.deepEqual(left.map(({ id }) => id - laneFloor(0)), [3, 9]); // biome-ignore format: one line
  });

  check('rows change what they wait for: their target, or their key', async (world) => {
    const { sender } = world.one;
    const epoch = await hold(world);
    await sender.setAside(0, epoch, [aside(row(0, 1, 'a')), aside(row(0, 2, 'b')), waiting(row(0, 3, 'c'), 't')]);
    assert.equal(await sender.moveAside(0, epoch, [outboxId(0, 1)], { waitsFor: 't', error: 'away' }), true);
    assert.equal(await sender.moveAside(0, epoch, [outboxId(0, 3)], { waitsFor: null, error: 'key' }), true);
    assert.deepEqual(await headsOf(world, [0]), [[0, 2], [0, 3]]); // biome-ignore format: one line
    const queue = await sender.readQueue(0, 't', outboxId(0, 9), LIMITS);
    assert.deepEqual(queue.map(({ id, state }) => [id - laneFloor(0), state]), [[1, 'waiting']]); // biome-ignore format: one line
    const outcome = { error: 'refused', dueInMs: 0, state: 'retrying' } as const;
    await sender.failAttempts(0, epoch, [outboxId(0, 1)], outcome);
    assert.deepEqual(await headsOf(world, [0]), [[0, 1], [0, 2], [0, 3]], 'a refused row waits for nothing else'); // biome-ignore format: one line
  });
}

function checkDoubts(check: StoreCheck): void {
  check(
    'I4: what may have arrived in a partition is written down with the rows in doubt, and told together',
    async (world) => {
      const { sender } = world.one;
      const epoch = await hold(world);
      const doubt = (by: string, sinceMs: number) => ({ waitsFor: 't/0/1', by, sinceMs });
      const rows = [waiting(row(0, 1, 'k'), 't/0/1', true), waiting(row(0, 2, 'k'), 't/0/1')];
      assert.equal(await sender.setAside(0, epoch, rows, [doubt('a', 7)]), true);
      assert.equal(await sender.setAside(0, epoch, [], [doubt('a', 9), doubt('b', 3)]), true);
      const found = async () => (await world.other.sender.listDoubts([0, 1])).get(0);
      assert.deepEqual(await found(), [doubt('a', 7), doubt('b', 3)], 'the earlier time counts');
      assert.deepEqual(await world.other.sender.listDoubted(0, 't/0/1'), [outboxId(0, 1)]);
      assert.deepEqual(await sender.listAttempts([0]), [], 'nobody has an attempt under way');
      const arrived = [outboxId(0, 2)];
      const verdicts = { arrived, missing: [outboxId(0, 1)], doubts: [doubt('b', 3)] };
      assert.equal(await sender.settleAttempts(0, epoch + 1, verdicts), false);
      assert.equal(await sender.settleAttempts(0, epoch, verdicts), true);
      assert.deepEqual(await found(), [doubt('b', 3)]);
      const left = await sender.readQueue(0, 't/0/1', outboxId(0, 9), LIMITS);
      assert.deepEqual(left.map(({ id, attemptToken }) => [id, attemptToken]), [[outboxId(0, 1), 0]]); // biome-ignore format: one line
      await sender.settleAttempts(0, epoch, { arrived: [], missing: [], unknown: [outboxId(0, 1)] });
      assert.equal((await sender.readQueue(0, 't/0/1', outboxId(0, 9), LIMITS))[0]?.attemptToken, IN_DOUBT);
    },
  );
}
