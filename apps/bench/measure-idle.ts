/** What a deployment costs while nothing happens: two writers (one leads, one stands by) and two senders, with Redis. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, DeploymentServers } from '#testkit';
import { cpuShare } from './measure-throughput.ts';
import { cpuUs, rssMb } from './process-usage.ts';
import { createScene, fillSource } from './scene.ts';
import { countStatements } from './statement-counter.ts';
import { tally } from './tally.ts';

export interface IdleResult {
  readonly name: string;
  /** Of one core. */
  readonly cpu: number;
  readonly statementsPerSecond: number;
  readonly rssMb: number;
}

const NAMES = ['writer, leading', 'writer, standing by', 'sender 1', 'sender 2'];
/** So that everybody has done its work once before being idle. */
const WARM_UP_ROWS = 5_000;
const READY_DEADLINE_MS = 60_000;

export async function measureIdle(
  servers: DeploymentServers,
  settleSeconds: number,
  seconds: number,
): Promise<IdleResult[]> {
  const deployment = await createScene(servers);
  const counters = await Promise.all(NAMES.map(() => countStatements(servers.database)));
  const settings = counters.map(({ host, port }) => ({ DB_HOST: host, DB_PORT: String(port) }));
  try {
    await fillSource(deployment, WARM_UP_ROWS);
    const leading = deployment.writer(settings[0]);
    await leading.waitForLog((line) => line.event === 'term-begun', READY_DEADLINE_MS, 'the term has begun');
    const apps: App[] = [
      leading,
      deployment.writer(settings[1]),
      deployment.sender(settings[2]),
      deployment.sender(settings[3]),
    ];
    await tally(apps.slice(2), 'delivered', WARM_UP_ROWS);
    await sleep(settleSeconds * 1_000);
    const before = apps.map((app, index) => ({ cpuUs: cpuUs(app.pid), statements: counters[index]?.statements ?? 0 }));
    const startedMs = performance.now();
    await sleep(seconds * 1_000);
    const elapsedMs = performance.now() - startedMs;
    const results = apps.map((app, index) => ({
      name: NAMES[index] as string,
      cpu: cpuShare(app.pid, before[index]?.cpuUs ?? 0, elapsedMs),
      statementsPerSecond:
        (((counters[index]?.statements ?? 0) - (before[index]?.statements ?? 0)) * 1_000) / elapsedMs,
      rssMb: rssMb(app.pid),
    }));
    await deployment.stopAll();
    return results;
  } finally {
    await deployment.drop();
    await Promise.all(counters.map((counter) => counter.stop()));
  }
}
