/** Runs test files with node's own runner, each in a process of its own, and counts. */
import { resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Files with a failure, as given. */
  readonly failedFiles: readonly string[];
}

export interface RunRequest {
  readonly repository: string;
  readonly files: readonly string[];
  readonly concurrency: number;
  readonly namePatterns: readonly string[];
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

/** No test may take longer; a file that hangs is ended, too. */
const TEST_DEADLINE_MS = 8 * 60_000;
const NODE_FLAGS = ['--conditions=source', '--disable-warning=TimeoutNegativeWarning'];

export async function runTestFiles(request: RunRequest): Promise<TestCounts> {
  const events = run({
    cwd: request.repository,
    files: request.files.map((file) => resolve(request.repository, file)),
    concurrency: request.concurrency,
    isolation: 'process',
    execArgv: NODE_FLAGS,
    timeout: TEST_DEADLINE_MS,
    signal: request.signal,
    ...(request.namePatterns.length > 0 ? { testNamePatterns: [...request.namePatterns] } : {}),
  });
  const failedFiles = new Set<string>();
  const emptyFiles: string[] = [];
  let counts = { passed: 0, failed: 0, skipped: 0 };
  events.on('test:fail', ({ file, todo }) => {
    if (file !== undefined && todo === undefined) failedFiles.add(file);
  });
  // The runner reports a file in which no test ran as one passed test of the file's name.
  events.on('test:pass', ({ name, file, nesting }) => {
    if (nesting === 0 && file !== undefined && name === file) emptyFiles.push(file);
  });
  events.on('test:summary', ({ file, counts: totals }) => {
    if (file !== undefined) return;
    const { tests, passed, skipped, todo } = totals;
    counts = { passed, failed: tests - passed - skipped - todo, skipped: skipped + todo };
  });
  const report = events.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await finished(report);
  return countEmptyFiles(request, counts, { failedFiles, emptyFiles });
}

/** A file without tests is a mistake, unless a name pattern left it without any. */
function countEmptyFiles(
  request: RunRequest,
  counts: Omit<TestCounts, 'failedFiles'>,
  seen: { failedFiles: Set<string>; emptyFiles: readonly string[] },
): TestCounts {
  const blame = request.namePatterns.length === 0;
  for (const file of seen.emptyFiles) {
    if (!blame) continue;
    seen.failedFiles.add(file);
    process.stdout.write(`no test ran in ${file}\n`);
  }
  const empty = seen.emptyFiles.length;
  const failed = counts.failed + (blame ? empty : 0);
  return {
    passed: counts.passed - empty,
    failed: Math.max(failed, seen.failedFiles.size),
    skipped: counts.skipped,
    failedFiles: request.files.filter((file) => seen.failedFiles.has(resolve(request.repository, file))),
  };
}
