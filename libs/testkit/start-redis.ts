/** A redis-server on a free loopback port. It saves nothing unless told: a restart is then empty, which tests rely on. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { serverFolder } from './server-folder.ts';
import { type ServerControl, ServerProcess } from './server-process.ts';

export interface RedisServer extends ServerControl {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
}

export interface RedisOptions {
  readonly port?: number;
  readonly dir?: string;
  /** Stays when this process ends. */
  readonly detached?: boolean;
  /** More arguments, such as `['--appendonly', 'yes']`. */
  readonly args?: readonly string[];
}

const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 20_000;

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { 'redis-server': binary } = await ensureBinaries(['redis-server']);
  const port = options.port ?? (await freePort());
  const folder = await serverFolder('redis', options.dir);
  const flags = ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', folder.dir];
  const server = new ServerProcess({
    name: 'redis-server',
    binary,
    args: [...flags, ...(options.args ?? [])],
    dir: folder.dir,
    logFile: join(folder.dir, 'redis.log'),
    probe: () => ping(port),
    readyDeadlineMs: READY_DEADLINE_MS,
    detached: options.detached ?? false,
  });
  const dispose = async () => {
    await server.kill();
    await folder.dispose();
  };
  try {
    await server.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    host: HOST,
    port,
    url: `redis://${HOST}:${port}`,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    restart: async () => {
      await server.terminate();
      await server.start();
    },
    stop: async () => {
      if (!folder.temporary) await server.terminate();
      await dispose();
    },
  };
}

async function ping(port: number): Promise<void> {
  const redis = new Redis(port, HOST, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } finally {
    redis.disconnect();
  }
}
