/**
 * deploy/docker/Dockerfile without an engine: what it copies is there and in the build context, its steps are done by hand
 * in a temporary folder, and what the last stage then holds runs as a user that may write nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { buildByHand } from './build-by-hand.ts';
import { readCompose } from './read-compose.ts';
import { execForm, type Instruction, isInContext, readDockerfile, type Stage } from './read-dockerfile.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
const STAGES = readDockerfile(read('deploy/docker/Dockerfile'));
const IGNORE = read('.dockerignore');
const PACKAGE = JSON.parse(read('package.json')) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
/** The user `node` of the base image. */
const USER = 1000;
const STEP_DEADLINE_MS = 300_000;

const run = promisify(execFile);

function lastStage(): Stage {
  const stage = STAGES.at(-1);
  assert.ok(stage, 'the Dockerfile has no stage');
  return stage;
}

function only(stage: Stage, name: string): Instruction {
  const found = stage.instructions.filter((instruction) => instruction.name === name);
  assert.equal(found.length, 1, `${found.length} times ${name}`);
  return found[0] as Instruction;
}

function copies(stage: Stage): readonly { readonly from: string | undefined; readonly sources: readonly string[] }[] {
  return stage.instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ text, flags }) => ({ from: flags.from, sources: text.split(/\s+/).slice(0, -1) }));
}

/** What the image can be asked to run: its own command, those of the compose file, and the package's executables. */
function commands(): readonly (readonly string[])[] {
  const { services } = readCompose(join(REPOSITORY, 'docker-compose.yml'));
  const composed = Object.values(services).flatMap(({ build, command }) => (build && command ? [command] : []));
  const own = execForm(only(lastStage(), 'CMD').text) ?? [];
  return [own, ...composed, ...Object.values(PACKAGE.bin).map((path) => ['node', path])];
}

test('everything that is copied is there and gets into the build context, and nothing secret or useless does', () => {
  for (const stage of STAGES) {
    for (const { from, sources } of copies(stage)) {
      if (from !== undefined) {
        const origin = STAGES.find(({ name }) => name === from);
        assert.ok(origin, `no stage ${from}`);
        const folder = only(origin, 'WORKDIR').text;
        for (const source of sources) assert.ok(source.startsWith(`${folder}/`), `${source} is not made in ${from}`);
        continue;
      }
      for (const source of sources) {
        assert.ok(existsSync(join(REPOSITORY, source)), `${source} is not there`);
        assert.ok(isInContext(IGNORE, source), `${source} is kept out by .dockerignore`);
      }
    }
  }
  for (const path of [
    '.env',
    '.git/config',
    'node_modules/pino/package.json',
    'dist/apps/cli/main.js',
    'deploy/docker/relay-db-password.txt',
  ]) {
    assert.ok(!isInContext(IGNORE, path), `${path} gets into the build context`);
  }
});

test('all stages stand on the Node that the tests run on', () => {
  for (const { base } of STAGES) assert.equal(base, `node:${PACKAGE.devDependencies.node}-bookworm-slim`);
});

test('the image runs without root and without a shell, ends by SIGTERM, and says whether it is healthy', () => {
  const stage = lastStage();
  assert.match(only(stage, 'USER').text, /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(only(stage, 'STOPSIGNAL').text, 'SIGTERM');
  assert.deepEqual(execForm(only(stage, 'ENTRYPOINT').text), []);
  assert.ok(execForm(only(stage, 'CMD').text), 'CMD is a shell command');
  const check = only(stage, 'HEALTHCHECK').text.replace(/^CMD /, '');
  const [program, script = ''] = execForm(check) ?? [];
  assert.equal(program, 'node');
  const copied = copies(stage).flatMap(({ sources }) => sources);
  assert.ok(
    copied.some((source) => source.endsWith(`/${script}`)),
    `${script} is not copied`,
  );
  assert.match(only(stage, 'LABEL').text, /org\.opencontainers\.image\.title=/);
  const runs = stage.instructions.filter(({ name }) => name === 'RUN').map(({ text }) => text);
  assert.ok(!runs.some((text) => text.includes('npm ci')), 'packages are installed in the last stage');
});

test('only production dependencies get into the last stage', () => {
  const { from } =
    copies(lastStage()).find(({ sources }) => sources.some((one) => one.endsWith('/node_modules'))) ?? {};
  const stage = STAGES.find(({ name }) => name === from);
  assert.ok(stage, 'the last stage copies no node_modules');
  assert.match(only(stage, 'RUN').text, /npm ci --omit=dev --ignore-scripts$/);
});

test('every command is one of node and a built file', () => {
  const all = commands();
  assert.ok(all.length >= 7, 'commands are missing');
  for (const [program, file = ''] of all) {
    assert.equal(program, 'node');
    assert.match(file, /^dist\/apps\/(cli|writer|sender)\/(main|bin)\.js$/);
    assert.ok(
      existsSync(join(REPOSITORY, file.replace(/^dist\//, '').replace(/\.js$/, '.ts'))),
      `${file} has no source`,
    );
  }
});

test('.dockerignore: the last pattern that fits a file or a folder above it decides', () => {
  const patterns = '# all but libs\n*\n!libs\n**/*.test.ts\n!deploy/a.json';
  assert.ok(isInContext(patterns, 'libs/x/y.ts'));
  assert.ok(!isInContext(patterns, 'libs/x/y.test.ts'));
  assert.ok(!isInContext(patterns, 'apps/x.ts'));
  assert.ok(isInContext(patterns, 'deploy/a.json'));
  assert.ok(!isInContext(patterns, 'deploy/b.json'));
});

test('a Dockerfile is cut into stages, with continued lines, comments and flags', () => {
  const [first, second] = readDockerfile(
    `ARG A=x:1\nFROM \${A} AS one\n# no\nRUN --mount=type=cache,target=/c a && \\\n  b\nFROM y\nCOPY --from=one /q /r ./`,
  );
  assert.deepEqual([first?.base, first?.name, second?.base, second?.name], ['x:1', 'one', 'y', null]);
  assert.deepEqual(first?.instructions, [{ name: 'RUN', text: 'a && b', flags: { mount: 'type=cache,target=/c' } }]);
  assert.deepEqual(copies(second as Stage), [{ from: 'one', sources: ['/q', '/r'] }]);
});

/** Packages of the build stage are those of the work tree, which `npm ci` made as well; the base image is not here to be trimmed. */
function instead(command: string, folder: string): string | (() => void) | null {
  if (command.startsWith('npm ci --ignore-scripts')) {
    return () => symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  }
  if (command.startsWith('rm -rf /usr/local/')) return null;
  return command.startsWith('npm ci') ? `${command} --prefer-offline` : command;
}

let root = '';
let image = '';

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'krs-image-'));
  await chmod(root, 0o755);
  image = await buildByHand(STAGES, { repository: REPOSITORY, dockerignore: IGNORE, root, instead });
});

after(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Root only may become somebody else; anybody else is unprivileged already. */
async function inImage(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const identity = process.getuid?.() === 0 ? { uid: USER, gid: USER } : {};
  const options = {
    cwd: image,
    timeout: STEP_DEADLINE_MS,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    ...identity,
  };
  try {
    const { stdout, stderr } = await run(process.execPath, args, options);
    return { code: 0, output: stdout + stderr };
  } catch (thrown) {
    const { code, stdout, stderr } = thrown as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

test('the last stage holds no development package, no test and no source', () => {
  for (const name of ['typescript', '@biomejs', 'node', 'vega-datasets']) {
    assert.ok(!existsSync(join(image, 'node_modules', name)), `${name} is in the image`);
  }
  const files = globSync('{dist,apps,libs}/**/*', { cwd: image });
  assert.deepEqual(
    files.filter((file) => /\.test\.|(?<!\.d)\.ts$|testkit/.test(file)),
    [],
  );
});

test('the built commands run in the image', async () => {
  for (const [, file = ''] of commands()) assert.ok(existsSync(join(image, file)), `${file} was not built`);
  assert.deepEqual(await inImage(['dist/apps/cli/main.js', '--version']), { code: 0, output: `${PACKAGE.version}\n` });
  const help = await inImage(['dist/apps/cli/main.js', 'help']);
  assert.equal(help.code, 0, help.output);
  for (const command of ['init', 'run', 'status', 'verify'])
    assert.match(help.output, new RegExp(`^  ${command}\\b`, 'm'));
  for (const part of ['writer', 'sender']) {
    const { code, output } = await inImage([`dist/apps/${part}/main.js`]);
    // Settings are read once everything is imported: the refusal shows that all of it is in the image.
    assert.equal(code, 2, output);
    assert.match(output, /KAFKA_ROW_SENDER_DB_NAME: required/);
  }
});

test('the health check tells ready from not ready and from silence', async () => {
  let status = 503;
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/readyz' ? status : 404;
    response.end('reason');
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const env = { KAFKA_ROW_SENDER_HTTP_PORT: String((server.address() as AddressInfo).port) };
  assert.deepEqual(await inImage(['healthcheck.mjs'], env), { code: 1, output: '503 reason\n' });
  status = 200;
  assert.deepEqual(await inImage(['healthcheck.mjs'], env), { code: 0, output: '200 reason\n' });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.match((await inImage(['healthcheck.mjs'], env)).output, /no answer from port \d+: ECONNREFUSED/);
  assert.equal((await inImage(['healthcheck.mjs'])).code, 0, 'init serves nothing');
});
