/** The outbox drain, the writer alone, and the whole path with both side by side. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, Deployment, DeploymentServers } from '#testkit';
import { cpuUs, peakRssMb } from './process-usage.ts';
import { createScene, fillSource, movedRows } from './scene.ts';
import { type TallyResult, tally } from './tally.ts';

export interface Throughput {
  readonly rowsPerSecond: number;
  readonly cpuUsPerRow: number;
  /** The highest of the processes. */
  readonly peakMb: number;
  readonly rowsPerTransaction: number;
}

const POLL_MS = 50;
const MOVE_DEADLINE_MS = 600_000;

const throughput = (apps: readonly App[], done: TallyResult): Throughput => ({
  rowsPerSecond: (done.rows * 1_000) / done.elapsedMs,
  cpuUsPerRow: done.cpuUs / done.rows,
  peakMb: Math.max(...apps.map((app) => peakRssMb(app.pid))),
  rowsPerTransaction: done.rows / done.transactions,
});

async function inScene<T>(servers: DeploymentServers, work: (deployment: Deployment) => Promise<T>): Promise<T> {
  const deployment = await createScene(servers);
  try {
    return await work(deployment);
  } finally {
    await deployment.drop();
  }
}

/** A writer fills the outbox by itself, then `senders` senders are started and empty it. */
export function measureDrain(
  servers: DeploymentServers,
  rows: number,
  senders: number,
): Promise<{ readonly writer: Throughput; readonly drain: Throughput }> {
  return inScene(servers, async (deployment) => {
    await fillSource(deployment, rows);
    const writer = deployment.writer();
    const moved = throughput([writer], await tally([writer], 'moved', rows));
    await writer.stop();
    const apps = Array.from({ length: senders }, () => deployment.sender());
    const drain = throughput(apps, await tally(apps, 'delivered', rows));
    await deployment.stopAll();
    return { writer: moved, drain };
  });
}

export interface PathResult {
  readonly rowsPerSecond: number;
  readonly writerCpuUsPerRow: number;
  readonly senderCpuUsPerRow: number;
  readonly writerPeakMb: number;
  readonly senderPeakMb: number;
  /** The last line of `verify`. */
  readonly verified: string;
}

/** Rows wait in the source; the sender is up and finds nothing until the writer starts. */
export function measurePath(servers: DeploymentServers, rows: number): Promise<PathResult> {
  return inScene(servers, async (deployment) => {
    await fillSource(deployment, rows);
    const sender = deployment.sender();
    await sender.waitForLog((line) => line.event === 'session-opened', MOVE_DEADLINE_MS, 'the producer is ready');
    const writer = deployment.writer();
    const [moved, delivered] = await Promise.all([tally([writer], 'moved', rows), tally([sender], 'delivered', rows)]);
    const result = {
      rowsPerSecond: (rows * 1_000) / (delivered.lastMs - moved.firstMs),
      writerCpuUsPerRow: moved.cpuUs / rows,
      senderCpuUsPerRow: delivered.cpuUs / rows,
      writerPeakMb: peakRssMb(writer.pid),
      senderPeakMb: peakRssMb(sender.pid),
    };
    await deployment.stopAll();
    const { code, output } = await deployment.cli('verify', '--wait', '60');
    const verified = output.split('\n').at(-1) ?? '';
    if (code !== 0) throw new Error(`verify ended with ${code}:\n${output}`);
    return { ...result, verified };
  });
}

/** Until the writer has moved everything that was inserted so far. */
export async function waitUntilMoved(deployment: Deployment, rows: number): Promise<void> {
  const deadlineMs = performance.now() + MOVE_DEADLINE_MS;
  while ((await movedRows(deployment)) < rows) {
    if (performance.now() > deadlineMs) throw new Error(`the writer moved ${await movedRows(deployment)} of ${rows}`);
    await sleep(POLL_MS);
  }
}

/** CPU of a process between two moments, as a share of one core. */
export const cpuShare = (pid: number, sinceCpuUs: number, elapsedMs: number): number =>
  (cpuUs(pid) - sinceCpuUs) / 1_000 / elapsedMs;
