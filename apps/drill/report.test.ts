/** The drill's report and its order of rounds, without servers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ledger, seededRandom } from '#testkit';
import { createChance } from './chance.ts';
import { FAULTS } from './faults/index.ts';
import { Programme } from './programme.ts';
import { Statistics } from './statistics.ts';
import { Tally } from './tally.ts';
import { renderReport } from './write-report.ts';

test('figures are kept in a file from run to run, and the report shows them, failures too', () => {
  const dir = mkdtempSync(join(tmpdir(), 'krs-report-'));
  const file = join(dir, 'figures.json');
  for (const recoveryMs of [1_000, 3_000, 9_000]) {
    const statistics = new Statistics(file);
    const figures = statistics.of('kill-sender');
    figures.injected += 1;
    figures.kills += 700;
    figures.delivered += 1_000;
    figures.recoveriesMs.push(recoveryMs);
    figures.flowsMs.push(recoveryMs / 2);
    statistics.save();
  }
  const sum = new Statistics(file);
  sum.add(file);
  assert.equal(sum.of('kill-sender').kills, 4_200);
  const { figures } = new Statistics(file);
  figures.failures.push({ during: 'kafka-kill', why: '2 rows doubled', rerun: 'npm run drill -- --seed 7' });
  const text = renderReport(figures, ['Machine: a small one']);
  assert.match(text, /\| `kill-sender` \| 3 \| 2,100 \| 3,000 \| 0 \| 0 \| 0 \| 3\.0 \| 9\.0 \| 4\.5 \|/);
  assert.match(text, /\*\*3 faults of 1 kinds, 2,100 SIGKILLs/);
  assert.match(text, /\| kafka-kill \| 2 rows doubled \| `npm run drill -- --seed 7` \|/);
  assert.match(text, /Not injected in these runs: .*`kill-everything`/);
  rmSync(dir, { recursive: true });
});

test('the same seed gives the same rounds, and every stage has its turn', () => {
  const rounds = (seed: number) => {
    const programme = new Programme(FAULTS, createChance(seededRandom(seed)));
    return Array.from({ length: 40 }, () => {
      const { stage, bag } = programme.next();
      return `${stage} ${bag.next(false)[0]?.name}`;
    });
  };
  assert.deepEqual(rounds(5), rounds(5));
  assert.notDeepEqual(rounds(5), rounds(6));
  const stages = new Set(rounds(5).map((line) => line.split(' ')[0]));
  const wanted = new Set(FAULTS.map((fault) => fault.stage ?? 'plain'));
  assert.deepEqual(stages, wanted);
});

test('every fault has a name of its own', () => {
  assert.equal(new Set(FAULTS.map(({ name }) => name)).size, FAULTS.length);
});

test('the tally sees what is lost, doubled, out of order, in a strange partition or was never committed', async () => {
  const ledger = new Ledger();
  const tally = new Tally(ledger);
  ledger.commit([1, 2, 3].map((sequence) => ({ key: 'a', sequence })));
  const mark = tally.mark();
  tally.record('a', 1, 0);
  tally.record('a', 3, 0);
  assert.equal(mark.missing, 1);
  assert.deepEqual(mark.examples(), ['a: 2']);
  tally.record('a', 2, 0);
  await mark.done;
  tally.record('a', 2, 0);
  tally.record('a', 4, 1);
  assert.deepEqual(tally.figures, { arrived: 4, doubled: 1, reordered: 1, misplaced: 1 });
  assert.deepEqual(tally.uncommitted, ['a: 4']);
  tally.allowKeysToMove();
  ledger.commit([{ key: 'a', sequence: 5 }]);
  tally.record('a', 5, 2);
  assert.equal(tally.figures.misplaced, 1);
  ledger.commit([
    { key: 'a', sequence: 6 },
    { key: 'b', sequence: 1 },
  ]);
  assert.deepEqual(tally.mark((key) => key === 'b').examples(), ['b: 1']);
  assert.equal(
    tally.committed((key) => key === 'a'),
    5,
  );
});
