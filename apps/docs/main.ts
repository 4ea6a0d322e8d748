/** `npm run docs`: rewrites the generated documents. With `--check` it writes nothing and exits 1 when one is stale. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT, type ExitCode } from '#runtime';
import { GENERATED_FILES } from './documents.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function run(checkOnly: boolean): ExitCode {
  let stale = 0;
  for (const { path, render } of GENERATED_FILES) {
    const full = join(ROOT, path);
    const current = existsSync(full) ? readFileSync(full, 'utf8') : null;
    const wanted = render(current);
    if (current === wanted) continue;
    stale += 1;
    if (checkOnly) {
      console.error(`${path} is stale; run npm run docs`);
      continue;
    }
    writeFileSync(full, wanted);
    console.log(`${path} written`);
  }
  return checkOnly && stale > 0 ? EXIT.checkFailed : EXIT.done;
}

try {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  process.exitCode = run(values.check);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = EXIT.usage;
}
