/** Rules of the code that no compiler checks: sizes, borders, leftovers. A hard limit each, no list of exceptions. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { findCycles } from './tidy/find-cycles.ts';
import {
  REPOSITORY,
  readImportMap,
  readPackage,
  readSources,
  resolveImport,
  type Source,
} from './tidy/read-sources.ts';

const LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;

/** A library imports only libraries of a lower rank. */
const RANKS: Readonly<Record<string, number>> = {
  runtime: 0,
  outbox: 1,
  chunking: 1,
  config: 1,
  database: 1,
  redis: 1,
  observability: 1,
  'application-outbox': 2,
  inbox: 2,
  verification: 2,
  'source-polling': 2,
  'outbox-storage': 2,
  'sqlite-storage': 2,
  notification: 2,
  'kafka-delivery': 2,
  'leader-election': 2,
  doorbell: 2,
  'retriable-consumer': 3,
  'dead-letters': 4,
  jobs: 2,
};
/** Where servers may be started: everything else is production code, which never sees the testkit. */
const TEST_APPS = ['test', 'demo', 'drill', 'e2e', 'bench', 'simulate', 'soak', 'stack'];
const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8'];
const SPECIFICATION = 'libs/outbox/SPEC.md';

const sources = readSources();
const importMap = readImportMap();
const paths = new Set(sources.map(({ path }) => path));

const isTest = ({ path }: Source): boolean => path.endsWith('.test.ts');
/** `libs/outbox/lane.ts` -> `outbox`, null outside of libs. */
const libOf = (path: string): string | null => /^libs\/([^/]+)\//.exec(path)?.[1] ?? null;
/** `*.child.ts` are programs that tests start as processes of their own. */
const isChild = (path: string): boolean => path.endsWith('.child.ts');
const isTestCode = (source: Source): boolean =>
  isTest(source) ||
  isChild(source.path) ||
  libOf(source.path) === 'testkit' ||
  TEST_APPS.some((app) => source.path.startsWith(`apps/${app}/`));

const graph = new Map(
  sources.map(({ path, imports }) => [
    path,
    imports.map((specifier) => resolveImport(path, specifier, importMap)).filter((target) => target !== null),
  ]),
);

/** Fails with all faults at once, one a line. */
const none = (faults: readonly string[]): void => assert.ok(faults.length === 0, `\n${faults.join('\n')}`);

describe('sizes', () => {
  test(`no file is longer than ${LINES_MAX} lines`, () => {
    none(sources.filter(({ lines }) => lines > LINES_MAX).map(({ path, lines }) => `${path}: ${lines} lines`));
  });

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const long = sources.flatMap(({ path, functions }) =>
      functions
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `${path}:${line}: ${lines} lines`),
    );
    none(long);
  });
});

describe('borders', () => {
  test('every library has a rank', () => {
    const libs = [...new Set(sources.map(({ path }) => libOf(path)))].filter((lib) => lib !== null);
    none(
      libs.filter((lib) => lib !== 'testkit' && !(lib in RANKS)).map((lib) => `libs/${lib} has no rank in this test`),
    );
  });

  test('libraries import only libraries of a lower rank', () => {
    const faults = sources.filter((source) => !isTestCode(source)).flatMap((source) => upwardImports(source));
    none(faults);
  });

  test('relative imports stay inside their library, and inside apps', () => {
    const home = (path: string): string => libOf(path) ?? path.split('/')[0] ?? '';
    const faults = sources.flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => home(resolveImport(path, specifier, importMap) ?? '') !== home(path))
        .map((specifier) => `${path} imports ${specifier}`),
    );
    none(faults);
  });

  test('production code never imports the testkit', () => {
    const faults = sources
      .filter((source) => !isTestCode(source) && source.imports.includes('#testkit'))
      .map(({ path }) => path);
    none(faults);
  });

  test('imports make no cycle', () => {
    none(findCycles(graph).map((cycle) => cycle.join(' -> ')));
  });

  test('the pure core touches neither clock, timer nor chance', () => {
    const forbidden = /\b(Date\.now|new Date|Math\.random|setTimeout|setInterval|setImmediate|performance\.now)\b/;
    const faults = sources
      .filter((source) => libOf(source.path) === 'outbox' && !isTest(source))
      .filter(({ text }) => forbidden.test(text))
      .map(({ path }) => path);
    none(faults);
  });
});

function upwardImports({ path, imports }: Source): string[] {
  const own = libOf(path);
  if (own === null) return [];
  const rank = RANKS[own] ?? Number.POSITIVE_INFINITY;
  return imports
    .filter((specifier) => specifier.startsWith('#'))
    .filter((specifier) => (RANKS[specifier.slice(1)] ?? Number.POSITIVE_INFINITY) >= rank)
    .map((specifier) => `${path} (rank ${rank}) imports ${specifier}`);
}

describe('values in SQL', () => {
  const production = sources.filter((source) => !isTestCode(source));
  /** Runs prepared statements on sessions whose character set is known. */
  const PREPARED = 'libs/database/run-prepared.ts';

  test('no value is handed to a driver, which would escape it', () => {
    const usesDriver = ({ imports }: Source) => imports.some((name) => /^(mysql2|mysql|mariadb)(\/|$)/.test(name));
    const faults = production
      .filter((source) => usesDriver(source) && source.path !== PREPARED)
      .flatMap(({ path, driverCalls }) =>
        driverCalls
          // An example's application prepares its own statements, on connections that it has set up itself.
          .filter(({ name, hasValues }) => hasValues && !(name === 'execute' && path.startsWith('apps/examples/')))
          .map(({ line }) => `${path}:${line} hands values to the driver`),
      );
    none(faults);
  });

  test("no driver's escaping is called", () => {
    const escaping =
      /\bescapeId\(|\b(?:mysql|connection|pool|SqlString)\.(?:escape|format)\(|from '(?:sqlstring|sql-escaper)'/;
    none(production.filter(({ text }) => escaping.test(text)).map(({ path }) => path));
  });

  test('no text of SQL has a value between quotes', () => {
    // Only constants, which are written in capitals.
    const quoted = /\b(?:SELECT|INSERT|UPDATE|DELETE|ALTER|WHERE|VALUES|SET|IN)\b.*[\s(=,]["']\$\{(?![A-Z_]+\})/;
    const faults = production.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => (quoted.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
    none(faults);
  });
});

describe('leftovers', () => {
  test('every file is imported, run by a script, or named by another file', () => {
    const imported = new Set([...graph.values()].flat());
    const scripts = Object.values(readPackage().scripts).join('\n');
    const nameOf = (path: string): string => (isChild(path) ? basename(path) : path);
    const named = (path: string): boolean =>
      scripts.includes(path) || sources.some((other) => other.path !== path && other.text.includes(nameOf(path)));
    const faults = sources
      .filter((source) => !isTest(source) && !/\/(main|bin)\.ts$/.test(source.path))
      .filter(({ path }) => !imported.has(path) && !named(path))
      .map(({ path }) => `nobody imports ${path}`);
    none(faults);
  });

  test('nothing is left to do later', () => {
    // Put together here, so that this file passes its own rule.
    const words = new RegExp(`\\b(${['TO', 'FIX', 'XX'].join('|')})(DO|ME|X)\\b`);
    none(sources.filter(({ text }) => words.test(text)).map(({ path }) => path));
  });

  test('no test is skipped without a reason, none runs alone', () => {
    const silent =
      /\b(?:test|it|describe|suite)\.(?:skip|todo|only)\(|\b(?:skip|todo|only): true\b|\bt\.(?:skip|todo)\(\)/;
    const faults = sources.filter((source) => isTest(source) && source.path !== 'libs/testkit/tidy.test.ts');
    none(faults.filter(({ text }) => silent.test(text)).map(({ path }) => path));
  });
});

describe('specification', () => {
  test('each invariant has a test that names it', () => {
    const titles = sources
      .filter(isTestCode)
      .flatMap(({ text }) => text.match(/(?:test|it|describe|check)\(\s*(['"`]).*?\1/g) ?? []);
    none(INVARIANTS.filter((name) => !titles.some((title) => new RegExp(`\\b${name}\\b`).test(title))));
  });

  test('the tests that the specification names exist', () => {
    const text = readFileSync(join(REPOSITORY, SPECIFICATION), 'utf8');
    const named = text.match(/(?:libs|apps)\/[\w/.-]+\.test\.ts/g) ?? [];
    assert.ok(named.length > 0, `${SPECIFICATION} names no test`);
    none(named.filter((path) => !paths.has(path)).map((path) => `${SPECIFICATION} names ${path}, which is not there`));
  });
});
