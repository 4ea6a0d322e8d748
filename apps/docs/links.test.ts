/** Every relative link and anchor in the documents leads somewhere. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..', '..');
const DOCUMENTS = [
  'README.md',
  'libs/outbox/SPEC.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`),
];

/** As GitHub makes them: lower case, no punctuation, blanks as hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading)));

for (const path of DOCUMENTS.filter((name) => name.endsWith('.md'))) {
  test(`links of ${path}`, () => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/i.test(target))
      .filter((target) => {
        const [file = '', anchor] = target.split('#');
        const full = file === '' ? join(ROOT, path) : resolve(dirname(join(ROOT, path)), file);
        if (!existsSync(full)) return true;
        return anchor !== undefined && !anchorsIn(readFileSync(full, 'utf8')).has(anchor);
      });
    assert.deepEqual(broken, []);
  });
}
