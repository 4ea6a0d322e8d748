/** Finds a server's program, and installs it from Debian's packages when it is missing and we may. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const APT_DEADLINE_MS = 10 * 60_000;

/** Debian's package for each program we start. */
const PACKAGES = {
  mariadbd: 'mariadb-server',
  mysql_install_db: 'mariadb-server',
  'redis-server': 'redis-server',
  java: 'openjdk-17-jre-headless',
  mvn: 'maven',
  openssl: 'openssl',
} as const;

export type ServerBinary = keyof typeof PACKAGES;

function find(binary: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/bin'];
  for (const folder of folders) {
    try {
      accessSync(join(folder, binary), constants.X_OK);
      return join(folder, binary);
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Debian's package for each library we load into servers and processes. */
const LIBRARIES = { 'libfaketimeMT.so.1': 'libfaketime' } as const;

export type PreloadLibrary = keyof typeof LIBRARIES;

let installing: Promise<void> = Promise.resolve();

/** Paths of the programs. Throws one line saying what to install when one is missing and cannot be installed here. */
export async function ensureBinaries<B extends ServerBinary>(binaries: readonly B[]): Promise<Record<B, string>> {
  // One installation at a time: the package manager has one lock.
  const turn = installing.then(() => installMissing(binaries));
  installing = turn.catch(() => undefined);
  await turn;
  return Object.fromEntries(binaries.map((binary) => [binary, find(binary)])) as Record<B, string>;
}

/** Path of the library. Throws as ensureBinaries does. */
export async function ensureLibrary(library: PreloadLibrary): Promise<string> {
  const look = () => globSync(`/usr/lib/*/faketime/${library}`)[0];
  if (look() === undefined) await installPackages([LIBRARIES[library]], library);
  const found = look();
  if (found === undefined) throw new Error(`${library} not found, though its package is installed`);
  return found;
}

async function installMissing(binaries: readonly ServerBinary[]): Promise<void> {
  const missing = binaries.filter((binary) => find(binary) === null);
  if (missing.length === 0) return;
  await installPackages([...new Set(missing.map((binary) => PACKAGES[binary]))], missing.join(' and '));
}

async function installPackages(packages: readonly string[], missing: string): Promise<void> {
  const advice = `install ${packages.join(' and ')} (apt-get install ${packages.join(' ')}), or give a server's address by KRS_TEST_*`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`${missing} not found: ${advice}`);
  }
  process.stderr.write(`installing ${packages.join(', ')} by apt-get\n`);
  // RUNLEVEL=1 keeps the packages from starting services of their own.
  const options = {
    timeout: APT_DEADLINE_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  };
  try {
    await run('apt-get', ['update', '-qq'], options);
    const flags = ['install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
    await run('apt-get', [...flags, ...packages], options);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`apt-get failed (${stderr?.trim().split('\n').at(-1) ?? 'no output'}): ${advice}`);
  }
}
