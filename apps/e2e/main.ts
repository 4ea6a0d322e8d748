/**
 * `npm run e2e`: a test database with a sample table, rows, the relay for a moment, and a check that each row arrived
 * exactly once; first as one process without Redis, then as writers and senders of their own. Against the servers that
 * KAFKA_ROW_SENDER_* or KRS_TEST_* variables name; what is not named is started for the run.
 */
import type { Stack } from '#testkit';
import { checkDelivery } from './check-delivery.ts';
import { runEndToEnd } from './run-end-to-end.ts';
import { withSampleDeployment } from './sample-deployment.ts';
import type { Steps } from './steps.ts';

const ROWS = 5_000;
const CONNECTIONS = 6;

interface Case {
  readonly title: string;
  readonly redis: boolean;
  /** Names of the processes, each as often as it is started. */
  readonly processes: readonly ('run' | 'writer' | 'sender')[];
}

const CASES: readonly Case[] = [
  { title: 'One process: run, without Redis', redis: false, processes: ['run'] },
  { title: 'Two writers, three senders', redis: true, processes: ['writer', 'writer', 'sender', 'sender', 'sender'] },
];

async function runCase(each: Case, steps: Steps, stack: Stack, signal: AbortSignal): Promise<void> {
  steps.heading(each.title);
  const servers = { ...stack, redisUrl: each.redis ? stack.redisUrl : null };
  await withSampleDeployment({ steps, servers, signal }, async ({ deployment, startLoad }) => {
    const load = startLoad({ connections: CONNECTIONS, rows: ROWS, seed: 1 });
    await steps.step(
      'rows in many transactions, before anything runs',
      () => load.done,
      ({ rows }) => `${rows} committed`,
    );
    await steps.step('init', () => deployment.init());
    await steps.step(`start ${each.processes.join(', ')}`, async () => {
      for (const name of each.processes) deployment[name]();
    });
    await checkDelivery(steps, deployment, load.ledger);
    await steps.step('SIGTERM: every process ends with 0', () => deployment.stopAll());
  });
}

await runEndToEnd(
  CASES.map((each) => (steps: Steps, stack: Stack, signal: AbortSignal) => runCase(each, steps, stack, signal)),
);
