/** The executables of the package on a Node that is too old: one line, and an exit code for bad usage. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** What such a Node says of itself, before the program is loaded. */
const PRETEND = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
)}`;
const OLD = /^kafka-row-sender needs Node 24 or newer, and this is Node 20\.20\.2 \(.+\): .+\n$/;

function start(app: string, flags: readonly string[], words: readonly string[]) {
  const file = fileURLToPath(new URL(`../${app}/bin.ts`, import.meta.url));
  const args = ['--conditions=source', ...flags, file, ...words];
  return new Promise<{ readonly code: unknown; readonly out: string; readonly said: string }>((resolve) => {
    execFile(process.execPath, args, (error, out, said) => resolve({ code: error?.code ?? 0, out, said }));
  });
}

for (const app of ['cli', 'writer', 'sender']) {
  test(`${app}: an old Node is refused in one line`, async () => {
    const { code, out, said } = await start(app, ['--import', PRETEND], ['help']);
    assert.deepEqual([code, out], [2, '']);
    assert.match(said, OLD);
  });
}

test('help loads no SQLite: that of Node is there in newer ones only', async () => {
  const tell =
    "process.on('exit', () => process.stderr.write(String(process.moduleLoadList.includes('NativeModule sqlite'))))";
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(tell)}`];
  const { code, out, said } = await start('cli', flags, ['help']);
  assert.deepEqual([code, said], [0, 'false']);
  assert.match(out, /Usage: kafka-row-sender/);
});
