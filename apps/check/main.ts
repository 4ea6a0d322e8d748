/** `npm run check`: format and lint, types, and the borders between the libraries, side by side. Exit code 1 on any fault. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '#runtime';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const modules = (path: string): string => join(REPOSITORY, 'node_modules', path);

const STEPS = [
  { name: 'format and lint', args: [modules('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'types', args: [modules('typescript/bin/tsc'), '-p', '.'] },
  { name: 'borders', args: ['--conditions=source', '--test', 'libs/testkit/tidy.test.ts'] },
] as const;

/** Resolves to what the step printed when it failed, to null when all is well. */
function runStep(args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: REPOSITORY, maxBuffer: OUTPUT_BYTES_MAX }, (error, stdout, stderr) => {
      resolve(error === null ? null : stdout + stderr);
    });
  });
}

const startedMs = performance.now();
const outcomes = await Promise.all(
  STEPS.map(async ({ name, args }) => ({ name, fault: await runStep(args), ms: performance.now() - startedMs })),
);
for (const { name, fault, ms } of outcomes) {
  if (fault !== null) process.stdout.write(`${fault.trimEnd()}\n`);
  process.stdout.write(`${name}: ${fault === null ? 'good' : 'FAILED'} (${(ms / 1_000).toFixed(1)} s)\n`);
}
process.exitCode = outcomes.every(({ fault }) => fault === null) ? EXIT.done : EXIT.checkFailed;
