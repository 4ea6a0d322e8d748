/** The test files of the repository, in tiers: what can share the machine, and what measures time and wants it alone. */
import { globSync } from 'node:fs';
import { relative } from 'node:path';

export interface TestTier {
  readonly name: string;
  /** Relative to the repository. */
  readonly files: readonly string[];
  readonly concurrency: number;
}

const SIMULATION = 'libs/testkit/simulation/simulation.test.ts';
/** Their tests measure how soon something happens, or need both cores: one file at a time. */
const ALONE = [
  'apps/compose/',
  'apps/drill/',
  'apps/e2e/blocked-topics.test.ts',
  'apps/e2e/late-rows.test.ts',
  'apps/e2e/take-over.test.ts',
  'apps/e2e/without-redis.test.ts',
  'apps/publisher/ring-after-commit.test.ts',
  'apps/soak/',
];

/** Every `*.test.ts` whose path holds one of the filters (a path as a shell completes it counts too); all without filters. */
export function findTestFiles(repository: string, filters: readonly string[], concurrency: number): TestTier[] {
  const wanted = filters.map((filter) => relative(repository, filter).replace(/^(\.\.\/)+/, ''));
  const fits = (file: string) => wanted.length === 0 || wanted.some((filter) => file.includes(filter));
  const find = (folder: string) =>
    globSync(`${folder}/**/*.test.ts`, { cwd: repository, exclude: ['**/node_modules/**'] })
      .filter(fits)
      .sort();
  const libs = find('libs');
  const apps = find('apps');
  const isAlone = (file: string) => ALONE.some((start) => file.startsWith(start));
  return [
    // It uses every core by itself, for as many seeds as fit into its time.
    { name: 'the simulation', files: libs.filter((file) => file === SIMULATION), concurrency: 1 },
    { name: 'libs', files: libs.filter((file) => file !== SIMULATION), concurrency },
    { name: 'apps', files: apps.filter((file) => !isAlone(file)), concurrency },
    { name: 'apps, one by one', files: apps.filter(isAlone), concurrency: 1 },
  ];
}
