/** How soon a row goes whose transaction commits after rows with higher ids have gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '#testkit';
import type { GapScene } from './gap-scene.ts';
import { insertSql, rowValues } from './scene.ts';

export interface LateResult {
  readonly youngMs: readonly number[];
  readonly oldMs: readonly number[];
}

const OLD_MS = 11_000;
const LOOK_EVERY_MS = 2;
const DEADLINE_MS = 30_000;
/** After the row that overtook it was moved. No two commits come at the same point of the writer's rhythm. */
const COMMIT_AFTER_MS = { step: 73, steps: 10 };
const APART_MS = 300;

/** Rows moved so far, and the time of the last line that says so. */
function movedBy(writer: App): { readonly rows: number; readonly atMs: number } {
  const lines = writer.log.filter(({ event, rows }) => event === 'moved' && Number(rows) > 0);
  return { rows: lines.reduce((sum, { rows }) => sum + Number(rows), 0), atMs: Number(lines.at(-1)?.time) };
}

async function untilMoved(writer: App, rows: number): Promise<number> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const moved = movedBy(writer);
    if (moved.rows >= rows) return moved.atMs;
    if (performance.now() > deadlineMs) throw new Error(`the writer moved ${moved.rows} of ${rows} rows`);
    await sleep(LOOK_EVERY_MS);
  }
}

export async function measureLate(scene: GapScene, writer: App, samples: number): Promise<LateResult> {
  const quick = await scene.connect();
  let expected = movedBy(writer).rows;
  /** A transaction with a row whose id is below one that was moved. */
  const overtaken = async () => {
    const slow = await scene.connect();
    await slow.query('START TRANSACTION');
    await slow.query(insertSql, rowValues(expected, 'late'));
    await quick.query(insertSql, rowValues(expected + 1, 'quick'));
    expected += 1;
    await untilMoved(writer, expected);
    return slow;
  };
  const commit = async (slow: Awaited<ReturnType<typeof overtaken>>) => {
    await slow.query('COMMIT');
    const committedMs = Date.now();
    expected += 1;
    const passedMs = (await untilMoved(writer, expected)) - committedMs;
    await slow.end();
    return Math.max(0, passedMs);
  };
  const youngMs: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const slow = await overtaken();
    await sleep(COMMIT_AFTER_MS.step * (sample % COMMIT_AFTER_MS.steps));
    youngMs.push(await commit(slow));
    await sleep(APART_MS);
  }
  const slow: Awaited<ReturnType<typeof overtaken>>[] = [];
  for (let sample = 0; sample < samples; sample += 1) slow.push(await overtaken());
  await sleep(OLD_MS);
  const oldMs: number[] = [];
  for (const [sample, each] of slow.entries()) {
    oldMs.push(await commit(each));
    await sleep(APART_MS + COMMIT_AFTER_MS.step * (sample % COMMIT_AFTER_MS.steps));
  }
  return { youngMs, oldMs };
}
