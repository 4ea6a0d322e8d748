/** Latency at 500 rows/s, one row a transaction: from just before the INSERT to a `read_committed` consumer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import mysql from 'mysql2/promise';
import type { Deployment, DeploymentServers } from '#testkit';
import { cpuShare } from './measure-throughput.ts';
import { cpuUs, peakRssMb } from './process-usage.ts';
import { createScene, insertSql, rowValues } from './scene.ts';
import { percentile } from './statistics.ts';

const CHILD = fileURLToPath(new URL('latency-consumer.child.ts', import.meta.url));
const ROWS_PER_SECOND = 500;
const CONNECTIONS = 8;
const WARM_UP_SECONDS = 5;
/** After the last insert, for what is still under way. */
const SETTLE_MS = 2_000;
const READY_DEADLINE_MS = 60_000;

export interface LatencyResult {
  readonly rows: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of one core, while rows came. */
  readonly writerCpu: number;
  readonly senderCpu: number;
  readonly writerPeakMb: number;
  readonly senderPeakMb: number;
}

export async function measureLatency(servers: DeploymentServers, seconds: number): Promise<LatencyResult> {
  const deployment = await createScene(servers, { LOG_LEVEL: 'info' });
  const consumer = startConsumer(servers.kafkaBootstrap, deployment.topic);
  try {
    const writer = deployment.writer();
    const sender = deployment.sender();
    await writer.waitForLog((line) => line.event === 'term-begun', READY_DEADLINE_MS, 'the term has begun');
    await sender.waitForLog((line) => line.event === 'lane-taken', READY_DEADLINE_MS, 'lanes were taken');
    await consumer.ready;
    const load = await openLoad(deployment);
    await load.insert(WARM_UP_SECONDS);
    const firstRow = load.rows;
    const before = { ms: performance.now(), writer: cpuUs(writer.pid), sender: cpuUs(sender.pid) };
    await load.insert(seconds);
    const elapsedMs = performance.now() - before.ms;
    const used = {
      writerCpu: cpuShare(writer.pid, before.writer, elapsedMs),
      senderCpu: cpuShare(sender.pid, before.sender, elapsedMs),
      writerPeakMb: peakRssMb(writer.pid),
      senderPeakMb: peakRssMb(sender.pid),
    };
    await sleep(SETTLE_MS);
    await load.close();
    const seen = (await consumer.stop()).filter(([row]) => row >= firstRow);
    await deployment.stopAll();
    const expected = load.rows - firstRow;
    const distinct = new Set(seen.map(([row]) => row)).size;
    if (seen.length !== expected || distinct !== expected) {
      throw new Error(
        `${expected} rows were inserted, the consumer saw ${seen.length}, of which ${distinct} different`,
      );
    }
    const ms = seen.map(([, latency]) => latency);
    const percentiles = { p50Ms: percentile(ms, 0.5), p99Ms: percentile(ms, 0.99), maxMs: Math.max(...ms) };
    return { rows: expected, ...percentiles, ...used };
  } finally {
    consumer.kill();
    await deployment.drop();
  }
}

function startConsumer(bootstrap: string, topic: string) {
  const child = spawn(process.execPath, [...process.execArgv, CHILD, bootstrap, topic], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const ended = once(child, 'close');
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (line === 'ready') resolve();
    });
    void ended.then(() => reject(new Error('the consumer ended')));
  });
  ready.catch(() => undefined);
  return {
    ready,
    kill: () => child.kill('SIGKILL'),
    async stop(): Promise<readonly (readonly [row: number, ms: number])[]> {
      child.kill('SIGTERM');
      await ended;
      return JSON.parse(lines.at(-1) ?? '[]') as [number, number][];
    },
  };
}

async function openLoad({ database }: Deployment) {
  const { host, port, user, password, name } = database;
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () =>
      mysql.createConnection({ host, port, user, password, database: name, connectTimeout: 10_000 }),
    ),
  );
  const idle = [...connections];
  const load = {
    rows: 0,
    /** At its pace whatever the server does: a row that finds no free connection is inserted as soon as one is. */
    async insert(seconds: number): Promise<void> {
      const total = seconds * ROWS_PER_SECOND;
      const startedMs = performance.now();
      const underWay = new Set<Promise<void>>();
      for (let done = 0; done < total; ) {
        const due = Math.min(total, Math.floor(((performance.now() - startedMs) * ROWS_PER_SECOND) / 1_000));
        for (; done < due && idle.length > 0; done += 1) {
          const inserted = insertOne(idle, load.rows++).finally(() => underWay.delete(inserted));
          underWay.add(inserted);
        }
        await sleep(1);
      }
      await Promise.all(underWay);
    },
    close: () => Promise.all(connections.map((connection) => connection.end())),
  };
  return load;
}

async function insertOne(idle: mysql.Connection[], row: number): Promise<void> {
  const connection = idle.pop() as mysql.Connection;
  await connection.query(insertSql, rowValues(row, `${row}:${process.hrtime.bigint()}:`));
  idle.push(connection);
}
