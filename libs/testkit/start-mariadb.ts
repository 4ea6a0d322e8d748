/** A MariaDB server on a free loopback port with the user app/app, who may do everything. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { guardProcess, unguardProcess } from './process-guard.ts';
import { type PidControl, startInFolder } from './start-in-folder.ts';
import type { DatabaseAddress } from './test-environment.ts';

const run = promisify(execFile);

export interface MariadbServer extends PidControl, DatabaseAddress {
  readonly socketPath: string;
}

export interface MariadbOptions {
  readonly port?: number;
  readonly dir?: string;
  /** Stays when this process ends. */
  readonly detached?: boolean;
  readonly bufferPoolMb?: number;
  /** More arguments for mariadbd. */
  readonly args?: readonly string[];
  /** More environment for the server's process. */
  readonly env?: Readonly<Record<string, string>>;
}

const HOST = '127.0.0.1';
const USER = 'app';
const INSTALL_DEADLINE_MS = 60_000;
const READY_DEADLINE_MS = 60_000;
const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];

export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const { mariadbd, mysql_install_db: install } = await ensureBinaries(['mariadbd', 'mysql_install_db']);
  const port = options.port ?? (await freePort());
  const address = { host: HOST, port, user: USER, password: USER };
  const placed = (dir: string) => ({ dataDir: join(dir, 'data'), socketPath: join(dir, 'mariadb.sock') });
  let socketPath = '';
  const server = await startInFolder({
    name: 'mariadb',
    dir: options.dir,
    prepare: async (dir) => {
      const { dataDir } = placed(dir);
      if (!existsSync(dataDir)) await installDatabase(install, dir, dataDir);
    },
    plan: (dir) => {
      const place = { ...placed(dir), port, bufferPoolMb: options.bufferPoolMb ?? 256 };
      socketPath = place.socketPath;
      return {
        name: 'mariadbd',
        binary: mariadbd,
        args: serverArguments(place, options.args ?? []),
        log: 'mariadb.log',
        // A statement that needs the user makes ready mean usable; before the users are made, the socket and root do.
        probe: () => ping(address, place.socketPath),
        readyDeadlineMs: READY_DEADLINE_MS,
        detached: options.detached ?? false,
        env: options.env ?? {},
      };
    },
  });
  return Object.assign(server, address, { socketPath });
}

function serverArguments(
  place: { dataDir: string; socketPath: string; port: number; bufferPoolMb: number },
  more: readonly string[],
): string[] {
  return [
    '--no-defaults',
    `--datadir=${place.dataDir}`,
    // As below: another server that starts would remove temporary tables that are in use.
    `--tmpdir=${dirname(place.dataDir)}`,
    `--socket=${place.socketPath}`,
    `--port=${place.port}`,
    `--bind-address=${HOST}`,
    `--innodb-buffer-pool-size=${place.bufferPoolMb}M`,
    '--max-connections=500',
    '--character-set-server=utf8mb4',
    ...asRoot,
    ...more,
  ];
}

async function installDatabase(binary: string, dir: string, dataDir: string): Promise<void> {
  const flags = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db', `--datadir=${dataDir}`];
  // Every server that starts removes all temporary tables in its folder for them, those of an installation under way too.
  const env = { ...process.env, TMPDIR: dir };
  const installing = run(binary, [...flags, ...asRoot], { timeout: INSTALL_DEADLINE_MS, env });
  const { pid } = installing.child;
  if (pid !== undefined) guardProcess(pid);
  await installing;
  if (pid !== undefined) unguardProcess(pid);
}

async function ping(address: DatabaseAddress, socketPath: string): Promise<void> {
  try {
    await query({ ...address, connectTimeout: 2_000 }, ['SELECT 1']);
  } catch (error) {
    // ER_ACCESS_DENIED_ERROR: it answers, but the users are not there yet.
    if ((error as { errno?: number }).errno !== 1045) throw error;
    await createUsers(socketPath);
    await query({ ...address, connectTimeout: 2_000 }, ['SELECT 1']);
  }
}

/** A fresh data folder has anonymous accounts on localhost that would shadow app@'%'. */
async function createUsers(socketPath: string): Promise<void> {
  const grants = ['%', 'localhost'].flatMap((host) => [
    `CREATE OR REPLACE USER '${USER}'@'${host}' IDENTIFIED BY '${USER}'`,
    `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'${host}' WITH GRANT OPTION`,
  ]);
  const anonymous = "DELETE FROM mysql.global_priv WHERE User = ''";
  await query({ socketPath, user: 'root' }, [anonymous, 'FLUSH PRIVILEGES', ...grants]);
}

async function query(options: mysql.ConnectionOptions, statements: readonly string[]): Promise<void> {
  const connection = await mysql.createConnection(options);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    connection.destroy();
  }
}
