/** `npm run build`: compiles what the executables reach into dist, with declarations, and makes them runnable. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '#runtime';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(REPOSITORY, 'dist');
const SHEBANG = '#!/usr/bin/env node\n';
/** Sources and notes: everything else beside the sources (SQL, templates) is read at run time. */
const NOT_COPIED = ['.ts', '.mjs', '.md', '.py'];

function compile(): boolean {
  const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
  const config = join(REPOSITORY, 'deploy', 'tsconfig.build.json');
  return spawnSync(process.execPath, [tsc, '-p', config], { cwd: REPOSITORY, stdio: 'inherit' }).status === 0;
}

/** Only beside compiled sources: the tests' and the tools' files stay out. */
function copyOtherFiles(): number {
  const files = globSync('{apps,libs}/**/*.*', { cwd: REPOSITORY }).filter(
    (file) => !NOT_COPIED.includes(extname(file)) && existsSync(join(DIST, dirname(file))),
  );
  for (const file of files) cpSync(join(REPOSITORY, file), join(DIST, file));
  return files.length;
}

function makeRunnable(): string[] {
  const { bin } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  for (const path of Object.values(bin)) {
    const file = join(REPOSITORY, path);
    const code = readFileSync(file, 'utf8');
    if (!code.startsWith('#!')) writeFileSync(file, SHEBANG + code);
    chmodSync(file, 0o755);
  }
  return Object.keys(bin);
}

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
if (compile()) {
  const copied = copyOtherFiles();
  const names = makeRunnable();
  const modules = globSync('**/*.js', { cwd: DIST }).length;
  process.stdout.write(`dist: ${modules} modules, ${copied} other files, runnable: ${names.join(', ')}\n`);
} else {
  process.exitCode = EXIT.checkFailed;
}
