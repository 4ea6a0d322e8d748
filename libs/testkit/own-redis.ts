/** A redis-server of the test's own on a free port, for tests that flush, pause, kill or restart it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';

export interface OwnRedis {
  readonly url: string;
  /** Empties it. */
  flush(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL: connections break. Nothing was saved, so a restart is empty. */
  kill(): Promise<void>;
  /** Starts again on the same port after `kill`. */
  restart(): Promise<void>;
  /** A plain connection for the test itself. */
  client(): Redis;
  /** Ends everything; safe to call in any state. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 10_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Starts redis-server and resolves when it answers. Fails with a clear line when the binary is not there. */
async function launch(port: number): Promise<ChildProcess> {
  const binary = process.env.KRS_TEST_REDIS_SERVER ?? 'redis-server';
  const server = spawn(
    binary,
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('redis-server did not start in time')),
      START_DEADLINE_MS,
    );
    server.once('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`this test starts its own ${binary}, which failed: ${error.message}`));
    });
    let output = '';
    server.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4096);
      if (!output.includes('Ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return server;
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const clients: Redis[] = [];
  let server = await launch(port);
  const client = () => {
    const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    clients.push(redis);
    return redis;
  };
  return {
    url,
    client,
    flush: async () => {
      const redis = client();
      await redis.flushall();
      redis.disconnect();
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    kill: () => end(server),
    restart: async () => {
      server = await launch(port);
    },
    stop: async () => {
      for (const redis of clients) redis.disconnect();
      await end(server);
    },
  };
}
