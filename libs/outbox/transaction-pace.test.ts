/** How large transactions are while brokers do not keep up. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RelayError } from '#runtime';
import { RetryShare } from './retry-share.ts';
import { isTimeout, TransactionPace } from './transaction-pace.ts';

const LIMITS = { rowsMax: 500, bytesMax: 4_000_000 };
const TARGET_MS = 5_000;
const LANES = 4;

/** A broker that takes so many bytes a second, and gives up what takes longer than the deadline. */
function run(
  pace: TransactionPace,
  options: { bytesPerMs: number; rowBytes: number; deadlineMs: number; rows: number },
) {
  const { bytesPerMs, rowBytes, deadlineMs } = options;
  const sent: { rows: number; tookMs: number; fits: boolean }[] = [];
  let left = options.rows;
  while (left > 0 && sent.length < 200) {
    const { rowsMax, bytesMax } = pace.limits(LANES);
    const rows = Math.min(left, rowsMax, Math.max(1, Math.floor(bytesMax / rowBytes)));
    const load = { rows, bytes: rows * rowBytes };
    const tookMs = load.bytes / bytesPerMs;
    const fits = tookMs <= deadlineMs;
    if (fits) pace.delivered(load, tookMs, LANES);
    else pace.timedOut(load);
    if (fits) left -= rows;
    sent.push({ rows, tookMs, fits });
  }
  return { sent, left };
}

describe('the pace of transactions', () => {
  test('without time-outs only the settings count', () => {
    const pace = new TransactionPace(LIMITS, TARGET_MS);
    const { sent } = run(pace, { bytesPerMs: 10_000, rowBytes: 8_000, deadlineMs: 30_000, rows: 2_000 });
    assert.deepEqual(sent.map(({ rows }) => rows), [500, 500, 500, 500]); // biome-ignore format: one line
    assert.equal(pace.bound, null);
  });

  test('a slow broker is found out within a few time-outs, and none follows', () => {
    const pace = new TransactionPace(LIMITS, TARGET_MS);
    const { sent, left } = run(pace, { bytesPerMs: 10, rowBytes: 8_000, deadlineMs: 30_000, rows: 600 });
    assert.equal(left, 0);
    const lost = sent.filter(({ fits }) => !fits).length;
    assert.ok(lost <= 5, `${lost} time-outs`);
    assert.ok(
      sent.slice(lost).every(({ fits }) => fits),
      'once it fits, it fits',
    );
    assert.ok(
      sent.slice(lost + 2, -1).every(({ tookMs }) => tookMs <= TARGET_MS * 1.01),
      'and is not slow any more',
    );
  });

  test('the floor is one row, whatever its size', () => {
    const pace = new TransactionPace(LIMITS, TARGET_MS);
    for (let time = 0; time < 40; time += 1) {
      const { rowsMax } = pace.limits(LANES);
      pace.timedOut({ rows: rowsMax, bytes: rowsMax * 1_000_000 });
    }
    assert.deepEqual(pace.limits(LANES), { rowsMax: 1, bytesMax: 1_024 });
    assert.equal(pace.timedOut({ rows: 1, bytes: 1_000_000 }), false, 'nothing is smaller');
  });

  test('successes let it grow until only the settings count', () => {
    const pace = new TransactionPace(LIMITS, TARGET_MS);
    for (let time = 0; time < 12; time += 1) pace.timedOut({ rows: pace.limits(LANES).rowsMax, bytes: 4_000_000 });
    const { sent } = run(pace, { bytesPerMs: 10_000, rowBytes: 1_000, deadlineMs: 30_000, rows: 20_000 });
    assert.equal(pace.bound, null);
    assert.equal(sent.at(-2)?.rows, 500 * LANES);
  });

  test('small transactions say nothing of larger ones, nor do markers alone', () => {
    const pace = new TransactionPace(LIMITS, TARGET_MS);
    pace.timedOut({ rows: 400, bytes: 3_200_000 });
    const { bound } = pace;
    for (let time = 0; time < 50; time += 1) {
      pace.delivered({ rows: 3, bytes: 300 }, 2, LANES);
      pace.delivered({ rows: 0, bytes: 0 }, 2, LANES);
      pace.timedOut({ rows: 0, bytes: 0 });
    }
    pace.delivered({ rows: 200, bytes: 1_600_000 }, 2, LANES, false);
    assert.deepEqual(pace.bound, bound, 'nor what is quick after a pause');
  });

  test('a deadline that passed is told from what is away', () => {
    const fault = (type: string) => new RelayError('KAFKA_UNREACHABLE', 'x', { details: { type } });
    assert.deepEqual(['DEADLINE_EXCEEDED', 'REQUEST_TIMEOUT', 'REQUEST_TIMED_OUT'].map(fault).map(isTimeout), [true, true, true]); // biome-ignore format: one line
    assert.deepEqual(['CONNECTION', 'ECONNREFUSED', 'NOT_LEADER_OR_FOLLOWER'].map(fault).map(isTimeout), [false, false, false]); // biome-ignore format: one line
  });
});

describe('the share of retries', () => {
  test('is never two turns in a row, and a quarter of the time while fresh rows wait', () => {
    const share = new RetryShare();
    let nowMs = 0;
    let retriedMs = 0;
    let inRow = 0;
    while (nowMs < 100_000) {
      const isRetry = share.mayRetry(nowMs);
      const tookMs = isRetry ? 400 : 10;
      if (isRetry) share.retried(nowMs, nowMs + tookMs);
      else share.delivered(true);
      inRow = isRetry ? inRow + 1 : 0;
      assert.ok(inRow <= 1);
      if (isRetry) retriedMs += tookMs;
      nowMs += tookMs;
    }
    assert.ok(retriedMs > 20_000 && retriedMs <= 25_500, `${retriedMs} ms`);
  });

  test('is all of the time while none wait', () => {
    const share = new RetryShare();
    share.retried(0, 1_000);
    assert.equal(share.mayRetry(1_000), false);
    share.delivered(false);
    assert.equal(share.mayRetry(1_000), true);
  });
});
