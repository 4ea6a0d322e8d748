/** The bench's own arithmetic: medians, floors by ratios within a round, statements counted on the wire. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { judge } from './floors.ts';
import type { GapsResult } from './measure-gaps.ts';
import type { RawResult } from './measure-raw.ts';
import type { Throughput } from './measure-throughput.ts';
import type { Round } from './run-all.ts';
import { countStatements } from './statement-counter.ts';
import { median, percentile } from './statistics.ts';

const raw = (rowsPerSecond: number): RawResult => ({
  ...{ name: '1 x 500', kind: 'plain', rowsPerSecond },
  ...{ cpuUsPerRow: 1, peakMb: 1 },
});
const throughput = (rowsPerSecond: number, peakMb = 100): Throughput => ({
  ...{ rowsPerSecond, peakMb },
  ...{ cpuUsPerRow: 1, rowsPerTransaction: 1 },
});
const round = (rawRates: readonly number[], drain: Throughput): Round => ({
  raw: rawRates.map(raw),
  drains: new Map([[1, { writer: throughput(1), drain }]]),
  path: null,
  latency: null,
  gaps: [],
  loads: new Map(),
});

test('median and percentile by nearest rank', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(percentile([5, 1, 4, 2, 3], 0.5), 3);
  assert.equal(percentile([5, 1, 4, 2, 3], 0.99), 5);
});

test('a ratio is taken to the best raw figure of its own round, and the median of the ratios counts', () => {
  const rounds = [round([50, 100], throughput(70)), round([1_000], throughput(500)), round([10], throughput(9))];
  const drain = judge({ rounds, idle: null }).find(({ name }) => name.startsWith('outbox drain'));
  assert.equal(drain?.found, 0.7);
  assert.equal(drain?.held, true);
});

test('a floor missed is named: memory by the highest peak of any run', () => {
  const rounds = [round([100], throughput(90, 150)), round([100], throughput(90, 201))];
  const missed = judge({ rounds, idle: null }).filter(({ held }) => !held);
  assert.deepEqual(
    missed.map(({ name, found }) => [name, found]),
    [['peak RSS of any process in any run', 201]],
  );
});

test('gaps are judged by the median of each case over the rounds', () => {
  const gaps = (toDense: number, startMs: number, oldMs: readonly number[]): GapsResult => ({
    ...{
      shape: 'single holes',
      missing: 10_000,
      rowsPerSecond: 1,
      toDense,
      cpuUsPerRow: 1,
      appendUsPerRow: 1,
      startMs,
    },
    ...{ peakMb: 1, youngMs: [], oldMs, idleStatementsPerSecond: null },
  });
  const rounds = [gaps(0.8, 1_900, [900]), gaps(0.95, 2_100, [1_500]), gaps(0.99, 1_000, [1_100])];
  const floors = judge({ rounds: rounds.map((each) => ({ ...round([1], throughput(1)), gaps: [each] })), idle: null });
  const found = floors.filter(({ name }) => name.startsWith('single holes'));
  assert.deepEqual(
    found.map((floor) => [floor.found, floor.held]),
    [
      [0.95, true],
      [1_900, true],
      [1_100, false],
    ],
  );
});

test('statements are counted however their packets are cut', async () => {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const counter = await countStatements({ host: '127.0.0.1', port: address.port });
  const packet = (sequence: number, body: string) =>
    Buffer.concat([Buffer.from([body.length, 0, 0, sequence]), Buffer.from(body)]);
  // A log-in answer, two statements, and the second half of a long one, which begins none.
  const bytes = Buffer.concat([packet(1, 'login'), packet(0, 'one'), packet(0, 'two'), packet(1, 'more of two')]);
  const client = connect(counter.port, counter.host);
  client.setNoDelay(true);
  for (const byte of bytes) client.write(Buffer.from([byte]));
  client.end();
  await once(client, 'close');
  assert.equal(counter.statements, 2);
  await counter.stop();
  server.close();
});
