/**
 * `npm test`: brings up the servers that the environment does not name, runs every test file, tears down, and ends with
 * the plain line `N passed, N failed`. Exit code 1 on any failure, and when no test ran.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { EXIT } from '#runtime';
import { type Stack, startStack } from '#testkit';
import { findTestFiles } from './find-test-files.ts';
import { runTestFiles, type TestCounts } from './run-test-files.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** They wait more than they work. */
const CONCURRENCY = 3;

interface Options {
  readonly testNamePattern: readonly string[];
  readonly concurrency: string;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (sinceMs: number): string => `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;

/** Without credentials: the addresses may be the user's own. */
function addresses({ database, redisUrl, kafkaBootstrap }: Stack): string {
  return `MariaDB ${database.host}:${database.port}, Redis ${new URL(redisUrl).host}, Kafka ${kafkaBootstrap}`;
}

/** Settings of the surrounding shell would be the tests' settings. */
function cleanEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('KAFKA_ROW_SENDER_')) delete process.env[name];
  }
}

async function runTiers(filters: readonly string[], options: Options, signal: AbortSignal): Promise<TestCounts> {
  let total: TestCounts = { passed: 0, failed: 0, skipped: 0, failedFiles: [] };
  for (const { name, files, concurrency } of findTestFiles(REPOSITORY, filters, Number(options.concurrency))) {
    if (files.length === 0 || signal.aborted) continue;
    say(`\n${files.length} test files in ${name}, ${concurrency} at a time`);
    const namePatterns = options.testNamePattern;
    const counts = await runTestFiles({ repository: REPOSITORY, files, concurrency, namePatterns, signal });
    total = {
      passed: total.passed + counts.passed,
      failed: total.failed + counts.failed,
      skipped: total.skipped + counts.skipped,
      failedFiles: [...total.failedFiles, ...counts.failedFiles],
    };
  }
  return total;
}

function report(counts: TestCounts): void {
  if (counts.failedFiles.length > 0) say(`\nrerun: npm test -- ${counts.failedFiles.join(' ')}`);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  say(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
}

async function main(filters: readonly string[], options: Options): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  cleanEnvironment();
  const startedMs = performance.now();
  if (findTestFiles(REPOSITORY, filters, CONCURRENCY).every(({ files }) => files.length === 0)) {
    process.stderr.write(`no test file fits ${filters.join(' ')}\n`);
    process.exitCode = EXIT.usage;
    return;
  }
  let stack: Stack;
  try {
    stack = await startStack();
  } catch (error) {
    process.stderr.write(`the test servers did not start: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = EXIT.unreachable;
    return;
  }
  try {
    Object.assign(process.env, stack.variables);
    say(`servers ready after ${seconds(startedMs)}: ${addresses(stack)}`);
    const counts = await runTiers(filters, options, interrupted.signal);
    await stack.stop();
    say(`\nall in ${seconds(startedMs)}`);
    report(counts);
    const good = counts.failed === 0 && counts.passed > 0 && !interrupted.signal.aborted;
    process.exitCode = good ? EXIT.done : EXIT.checkFailed;
  } finally {
    await stack.stop();
  }
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

await new Command('npm test --')
  .description('Runs the tests against servers of their own, or those that KRS_TEST_* variables name.')
  .argument('[files...]', 'only test files whose path holds one of these')
  .option('--test-name-pattern <pattern>', 'only tests whose name fits (may be repeated)', collect, [])
  .option('--concurrency <files>', 'test files that run at once, where they may', String(CONCURRENCY))
  .action((files: string[], options: Options) => main(files, options))
  .parseAsync();
