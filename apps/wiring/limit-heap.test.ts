/** The heap limits: given once, and never over the user's own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missingHeapLimits } from './limit-heap.ts';

const CHILD = fileURLToPath(new URL('limit-heap.child.ts', import.meta.url));
const FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=40'];

function run(flags: readonly string[], nodeOptions: string): unknown {
  const args = ['--conditions=source', ...flags, CHILD, 'one', 'two words'];
  const env = { ...process.env, NODE_OPTIONS: nodeOptions };
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8' }));
}

test('limits are missing unless the command line or NODE_OPTIONS gives them, however they are spelled', () => {
  assert.deepEqual(missingHeapLimits([], ''), FLAGS);
  assert.deepEqual(missingHeapLimits(FLAGS, ''), []);
  assert.deepEqual(missingHeapLimits(['--heap_growing_percent=99'], ''), [FLAGS[0]]);
  assert.deepEqual(missingHeapLimits([], '--enable-source-maps --max-semi-space-size=16'), [FLAGS[1]]);
});

test('a process that starts without limits is the same process with them, arguments and flags kept', () => {
  const child = run([], '') as { execArgv: string[]; args: string[]; samePid: boolean };
  assert.deepEqual(child.execArgv, [...FLAGS, '--conditions=source']);
  assert.deepEqual(child.args, ['one', 'two words']);
  assert.equal(child.samePid, true);
});

test("the user's own limit stands", () => {
  const child = run(['--heap-growing-percent=80'], '--max-semi-space-size=1') as { execArgv: string[] };
  assert.deepEqual(child.execArgv, ['--conditions=source', '--heap-growing-percent=80']);
});
