/** A redis-server on a free loopback port. It saves nothing unless told: a restart is then empty, which tests rely on. */
import { Redis } from 'ioredis';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { type PidControl, startInFolder } from './start-in-folder.ts';

export interface RedisServer extends PidControl {
  readonly host: string;
  readonly port: number;
  readonly url: string;
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
  const server = await startInFolder({
    name: 'redis',
    dir: options.dir,
    plan: (dir) => ({
      name: 'redis-server',
      binary,
      args: [
        ...['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', dir],
        ...(options.args ?? []),
      ],
      log: 'redis.log',
      probe: () => ping(port),
      readyDeadlineMs: READY_DEADLINE_MS,
      detached: options.detached ?? false,
    }),
  });
  return Object.assign(server, { host: HOST, port, url: `redis://${HOST}:${port}` });
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
