/** The generated documents in the repository are what the code would write now. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GENERATED_FILES, replaceBlock } from './documents.ts';

const ROOT = join(import.meta.dirname, '..', '..');

for (const { path, render } of GENERATED_FILES) {
  test(`${path} is up to date (npm run docs)`, () => {
    const current = readFileSync(join(ROOT, path), 'utf8');
    assert.equal(current, render(current));
  });
}

test('a block is replaced, what is around it stays, and twice changes nothing', () => {
  const block = { name: 'x', content: () => 'new $& text' };
  const before = 'above\n<!-- x:start -->\nold\n<!-- x:end -->\nbelow\n';
  const once = replaceBlock(before, block);
  assert.equal(once, 'above\n<!-- x:start -->\nnew $& text\n<!-- x:end -->\nbelow\n');
  assert.equal(replaceBlock(once, block), once);
});

test('a block without its marks is an error, not a silent nothing', () => {
  const block = { name: 'x', content: () => '' };
  assert.throws(() => replaceBlock('no marks', block), /x:start/);
  assert.throws(() => replaceBlock('<!-- x:end --><!-- x:start -->', block), /x:start/);
});

test('a missing README is begun', () => {
  const readme = GENERATED_FILES.find(({ path }) => path === 'README.md');
  assert.match(readme?.render(null) ?? '', /^# kafka-row-sender\n.*KAFKA_ROW_SENDER_DB_USER/s);
});
