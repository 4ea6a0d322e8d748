/** README.md and deploy/mariadb/init.sql grant what the code uses: one truth in three places. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GRANTS } from '#outbox-storage';
import { CANARY_TABLE_DEFAULT } from '#source-polling';

const ROOT = join(import.meta.dirname, '..', '..');
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const WANTED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(GRANTS).map(([key, { privileges }]) => [`kafka_row_sender_${snake(key)}`, privileges.join(', ')]),
  ),
  [CANARY_TABLE_DEFAULT]: 'SELECT, INSERT',
};

test('README.md has a line for each table with the rights that the code uses, and PROCESS', () => {
  const rows = [
    ...textOf('README.md').matchAll(/^\| `(kafka_row_sender_[a-z_]+)` \| ([A-Z, ]+?)(?: \(.*)? \| CREATE/gm),
  ];
  assert.deepEqual(Object.fromEntries(rows.map(([, table, rights]) => [table, rights])), WANTED);
  assert.match(textOf('README.md'), /^\| the server \(`\*\.\*`\) \| PROCESS/m);
});

test('init.sql grants the same, and PROCESS on the server', () => {
  const sql = textOf('deploy/mariadb/init.sql');
  const rows = [...sql.matchAll(/^GRANT ([A-Z, ]+), CREATE, ALTER, INDEX ON `shop`\.`([a-z_]+)` TO 'relay'@'%';$/gm)];
  assert.deepEqual(Object.fromEntries(rows.map(([, rights, table]) => [table, rights])), WANTED);
  assert.match(sql, /^GRANT PROCESS ON \*\.\* TO 'relay'@'%';$/m);
});
