/** SPEC.md names what enforces each promise: here is what makes sure that it is there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(new URL('./SPEC.md', import.meta.url), 'utf8');
const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8'];

interface Named {
  readonly line: string;
  readonly path: string;
  readonly words: string;
}

const LINE = /^(Enforcement|Found by leaving it out): `([^`]+)` "([^"]+)"$/;
const looksNamed = (line: string): boolean => /^(Enforcement|Found by)/.test(line);

function namedIn(part: string): Named[] {
  return part
    .split('\n')
    .filter(looksNamed)
    .map((line) => {
      const [, , path, words] = LINE.exec(line) ?? [];
      assert.ok(path !== undefined && words !== undefined, `not understood: ${line}`);
      return { line, path, words };
    });
}

/** Titles of tests and contract checks, and names of mutations, as they stand in the source. */
function titlesOf(path: string): string[] {
  const source = readFileSync(join(REPOSITORY, path), 'utf8');
  const found = source.matchAll(/(?:\b(?:test|it|check|describe)\(|\bname:)\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/g);
  return [...found].map(([, , title]) => (title as string).replaceAll(/\\(.)/g, '$1'));
}

describe('specification', () => {
  for (const name of INVARIANTS) {
    const part = text.split(/^## /m).find((section) => section.startsWith(`${name}:`));

    test(`${name} says when it is false, and what enforces it`, () => {
      assert.ok(part !== undefined, `${name} has no section`);
      assert.match(part, /\bFalse if\b/);
      assert.ok(namedIn(part).length > 0, `${name} names nothing that enforces it`);
    });

    test(`what enforces ${name} exists`, () => {
      for (const { path, words } of namedIn(part ?? '')) {
        assert.ok(existsSync(join(REPOSITORY, path)), `${path} is not there`);
        const titles = titlesOf(path);
        assert.ok(
          titles.some((title) => title.includes(words)),
          `${path} has no "${words}"`,
        );
      }
    });
  }
});
