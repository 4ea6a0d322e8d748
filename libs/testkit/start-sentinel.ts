/** A sentinel that watches one primary. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { askRedis } from './ask-redis.ts';
import { ensureBinaries } from './ensure-binary.ts';
import { freePort } from './free-port.ts';
import { startInFolder } from './start-in-folder.ts';

export interface Sentinel {
  readonly host: string;
  readonly port: number;
  /** How many replicas of the primary it knows. */
  replicas(): Promise<number>;
  stop(): Promise<void>;
}

export interface SentinelOptions {
  /** What it calls the primary. */
  readonly name: string;
  readonly primary: { readonly host: string; readonly port: number };
  readonly quorum: number;
  /** Milliseconds without an answer after which the primary counts as gone. */
  readonly downAfterMs: number;
}

const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 20_000;

export async function startSentinel({ name, primary, quorum, downAfterMs }: SentinelOptions): Promise<Sentinel> {
  const { 'redis-server': binary } = await ensureBinaries(['redis-server']);
  const port = await freePort();
  const lines = [
    ...[`port ${port}`, `bind ${HOST}`],
    `sentinel monitor ${name} ${primary.host} ${primary.port} ${quorum}`,
    ...[`sentinel down-after-milliseconds ${name} ${downAfterMs}`, `sentinel failover-timeout ${name} 5000`],
  ];
  const ask = <T>(work: (redis: Redis) => Promise<T>): Promise<T> => askRedis(`redis://${HOST}:${port}`, work, false);
  const server = await startInFolder({
    name: 'sentinel',
    prepare: (dir) => writeFile(join(dir, 'sentinel.conf'), `${lines.join('\n')}\ndir ${dir}\n`),
    plan: (dir) => ({
      name: 'redis-server',
      binary,
      args: [join(dir, 'sentinel.conf'), '--sentinel'],
      log: 'sentinel.log',
      probe: () => ask(async (redis) => void (await redis.ping())),
      readyDeadlineMs: READY_DEADLINE_MS,
      detached: false,
    }),
  });
  const replicas = () => ask(async (redis) => ((await redis.call('SENTINEL', 'REPLICAS', name)) as unknown[]).length);
  return { host: HOST, port, replicas, stop: () => server.stop() };
}
