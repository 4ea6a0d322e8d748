/**
 * Runs a TypeScript file of this repository: installs the packages when they are missing or not those of
 * package-lock.json, then starts the project's own Node on the file. Plain JavaScript for Node 18 and newer, because it
 * runs on whatever Node the machine has. Prints nothing on the happy path, and only to stderr otherwise.
 *
 *   node apps/launch/launch.mjs FILE.ts [arguments]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const NODE = join(REPOSITORY, 'node_modules', 'node', 'bin', 'node');
const NODE_FLAGS = ['--conditions=source', '--disable-warning=TimeoutNegativeWarning'];
/** Compiled TypeScript, kept by Node by content: a start takes a third of the time, and 30 MB less. */
const COMPILED = join(REPOSITORY, 'node_modules', '.cache', 'node-compile-cache');
/** Outside of node_modules, which the installation removes. */
const LOCK = join(tmpdir(), `krs-install-${createHash('sha256').update(REPOSITORY).digest('hex').slice(0, 16)}`);
const LOCK_PAUSE_MS = 200;
const LOCK_DEADLINE_MS = 15 * 60_000;
/** A lock without an owner's name is being taken this moment, or its taker died in between. */
const LOCK_NAMELESS_MS = 5_000;
const EXIT_USAGE = 2;
const EXIT_UNREACHABLE = 3;

const say = (line) => process.stderr.write(`${line}\n`);

/** npm's record of what it installed must name the same packages as package-lock.json, whatever the files' times. */
function installed() {
  if (!existsSync(NODE)) return false;
  try {
    const wanted = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')).packages;
    const present = JSON.parse(readFileSync(join(REPOSITORY, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true;
      if (!(path in present)) return entry.optional === true || entry.devOptional === true;
      return present[path].version === entry.version && present[path].integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

function ownerLives() {
  let pid;
  try {
    pid = Number(readFileSync(join(LOCK, 'pid'), 'utf8'));
  } catch {
    try {
      return Date.now() - statSync(LOCK).mtimeMs < LOCK_NAMELESS_MS;
    } catch {
      return true;
    }
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two launches at once must not install over each other. */
async function lock() {
  const deadline = Date.now() + LOCK_DEADLINE_MS;
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(LOCK);
      writeFileSync(join(LOCK, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!ownerLives()) {
      rmSync(LOCK, { recursive: true, force: true });
      continue;
    }
    if (!waited) say('another launch is installing the packages: waiting for it');
    if (Date.now() > deadline) throw new Error(`gave up waiting for the lock ${LOCK}`);
    await sleep(LOCK_PAUSE_MS);
  }
}

/** npm must not run on the Node it is about to remove, so the packages' own programs are taken out of its PATH. */
function npm(args) {
  const path = (process.env.PATH ?? '').split(delimiter).filter((dir) => !dir.includes('node_modules'));
  const env = { ...process.env, PATH: path.join(delimiter), npm_config_loglevel: 'error' };
  const { status, error } = spawnSync('npm', args, { cwd: REPOSITORY, env, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

async function install() {
  await lock();
  try {
    if (installed()) return;
    say('installing packages (npm ci, and the pinned Node) ..');
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    // The package `node` fetches its binary in its install script, the only one that runs here.
    npm(['rebuild', 'node']);
    if (!existsSync(NODE)) throw new Error(`npm did not put the pinned Node at ${NODE}`);
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

/** Signals to us are the child's, except those a terminal has sent to the child as well. */
function forwardSignals(child) {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  for (const signal of signals) {
    process.on(signal, () => {
      const fromTerminal = signal !== 'SIGTERM' && process.stdin.isTTY;
      if (!fromTerminal) child.kill(signal);
    });
  }
  return () => signals.forEach((signal) => void process.removeAllListeners(signal));
}

function run(args) {
  const env = { NODE_COMPILE_CACHE: COMPILED, ...process.env };
  const child = spawn(NODE, [...NODE_FLAGS, ...args], { env, stdio: 'inherit' });
  const restoreSignals = forwardSignals(child);
  child.once('error', (error) => {
    say(`cannot start ${NODE}: ${error.message}`);
    process.exit(EXIT_UNREACHABLE);
  });
  child.once('exit', (code, signal) => {
    restoreSignals();
    if (signal !== null) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  say('usage: node apps/launch/launch.mjs FILE.ts [arguments]');
  process.exit(EXIT_USAGE);
}
try {
  if (!installed()) await install();
  run([fileURLToPath(new URL(`../../${file}`, import.meta.url)), ...rest]);
} catch (error) {
  say(`cannot install the packages: ${error.message}`);
  process.exit(EXIT_UNREACHABLE);
}
