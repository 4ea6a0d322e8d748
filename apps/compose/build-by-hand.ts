/** Does the steps of a Dockerfile in a folder: the same copies, and the commands that matter, without an engine. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { isInContext, type Stage } from './read-dockerfile.ts';

export interface HandBuild {
  /** The build context before .dockerignore. */
  readonly repository: string;
  readonly dockerignore: string;
  /** An empty folder; each stage becomes a folder in it, with the paths of its image. */
  readonly root: string;
  /** What is done for a RUN instruction: the command itself, something that has the same effect, or null for nothing. */
  readonly instead: (command: string, folder: string) => string | (() => void) | null;
}

const STEP_DEADLINE_MS = 300_000;
/** Never part of a context; looking into them takes long. */
const SKIPPED = new Set(['node_modules', '.git', 'dist']);

const run = promisify(execFile);

/** The working folder of the last stage. */
export async function buildByHand(stages: readonly Stage[], build: HandBuild): Promise<string> {
  let folder = '';
  for (const [index, stage] of stages.entries()) {
    const image = stageFolder(build, stage.name, index);
    for (const { name, text, flags } of stage.instructions) {
      if (name === 'WORKDIR') {
        folder = join(image, text);
        mkdirSync(folder, { recursive: true });
      } else if (name === 'COPY') {
        const words = text.split(/\s+/);
        const target = join(folder, words.at(-1) ?? '');
        for (const source of words.slice(0, -1)) copy(build, flags.from, source, target);
      } else if (name === 'RUN') {
        await runStep(build.instead(text, folder), folder);
      }
    }
  }
  return folder;
}

const stageFolder = (build: HandBuild, name: string | null, index: number): string =>
  join(build.root, name ?? `stage-${index}`);

/** As in a Dockerfile, of a folder its content is copied, and a target that ends in a slash is a folder. */
function copy(build: HandBuild, from: string | undefined, source: string, target: string): void {
  const base = from === undefined ? build.repository : stageFolder(build, from, -1);
  const path = join(base, source);
  const isFolder = statSync(path).isDirectory();
  const to = target.endsWith('/') && !isFolder ? join(target, basename(source)) : target;
  if (from !== undefined) cpSync(path, to, { recursive: true, verbatimSymlinks: true });
  else
    for (const file of isFolder ? filesIn(path) : [path]) {
      if (isInContext(build.dockerignore, relative(base, file)))
        cpSync(file, isFolder ? join(to, relative(path, file)) : to);
    }
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !SKIPPED.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : [path];
    });
}

async function runStep(step: string | (() => void) | null, folder: string): Promise<void> {
  if (step === null) return;
  if (typeof step === 'function') return step();
  const env = { ...process.env, npm_config_update_notifier: 'false' };
  await run('sh', ['-ec', step], { cwd: folder, env, timeout: STEP_DEADLINE_MS });
}
