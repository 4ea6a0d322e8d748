/**
 * `npm run e2e:kafka-recovery`: Kafka is stopped under load, by SIGKILL and in an orderly way, and started again; nothing may
 * be lost, doubled or out of order. A given Kafka is only stopped with the commands KRS_E2E_KAFKA_STOP and _START; without
 * them one is started for the run.
 */
import { EXIT } from '#runtime';
import { type Deployment, until } from '#testkit';
import { checkDelivery, outboxRows } from './check-delivery.ts';
import { runEndToEnd } from './run-end-to-end.ts';
import { withSampleDeployment } from './sample-deployment.ts';
import { kafkaCommands, stoppableKafka } from './stoppable-kafka.ts';

const CONNECTIONS = 6;
const ROWS_PER_SECOND = 800;
/** Rows that pile up in the outbox while Kafka is away. */
const PILED_ROWS = 3_000;
const PILE_DEADLINE_MS = 60_000;
const DRAIN_DEADLINE_MS = 120_000;
/** Retries soon, since the outages are short. */
const SETTINGS = { KAFKA_RETRY_BACKOFF_BASE: '0.2', KAFKA_RETRY_BACKOFF_MAX: '2' };

function readCommands() {
  try {
    return kafkaCommands(process.env);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(EXIT.usage);
  }
}

async function movedRows(deployment: Deployment): Promise<number> {
  const [watermark] = await deployment.query<{ n: number }>(
    'SELECT next_sequence - 1 AS n FROM kafka_row_sender_watermark',
  );
  return Number(watermark?.n ?? 0);
}

/** Moved by the writer and gone from the outbox: in Kafka. Rows moved in between count as waiting. */
async function deliveredRows(deployment: Deployment): Promise<number> {
  const moved = await movedRows(deployment);
  return moved - (await outboxRows(deployment));
}

async function rowsFlow(deployment: Deployment): Promise<void> {
  await until(
    'delivery without a backlog',
    async () => {
      const delivered = await deliveredRows(deployment);
      return delivered > 1_000 && (await outboxRows(deployment)) < ROWS_PER_SECOND;
    },
    DRAIN_DEADLINE_MS,
  );
}

const commands = readCommands();
const NOT_OURS =
  'the Kafka given is not ours to stop (no KRS_E2E_KAFKA_STOP and KRS_E2E_KAFKA_START): one is started for this run';

await runEndToEnd(
  [
    async (steps, stack, signal) => {
      const kafka = stoppableKafka(stack, commands);
      await withSampleDeployment({ steps, servers: stack, signal, settings: SETTINGS }, async (sample) => {
        const { deployment } = sample;
        await steps.step('init', () => deployment.init());
        await steps.step('start two writers, three senders', async () => {
          for (const name of ['writer', 'writer', 'sender', 'sender', 'sender'] as const) deployment[name]();
        });
        const load = sample.startLoad({ connections: CONNECTIONS, seed: 1, rowsPerSecond: ROWS_PER_SECOND });
        await steps.step('rows flow before Kafka is stopped', () => rowsFlow(deployment));
        for (const { name, stop } of kafka.stops) {
          steps.heading(`Kafka: ${name}`);
          await steps.step('stop it under load', stop);
          const pile = (await outboxRows(deployment)) + PILED_ROWS;
          await steps.step(`the writer goes on: ${PILED_ROWS} more rows wait in the outbox`, () =>
            until('rows that wait', async () => (await outboxRows(deployment)) >= pile, PILE_DEADLINE_MS),
          );
          await steps.step('start it again', () => kafka.start());
          const moved = await movedRows(deployment);
          await steps.step(
            'what waited is delivered',
            () => until('delivery', async () => (await deliveredRows(deployment)) >= moved, DRAIN_DEADLINE_MS),
            () => `${moved} rows so far`,
          );
        }
        steps.heading('Afterwards');
        const ledger = await steps.step(
          'stop the load',
          () => load.stop(),
          ({ rows }) => `${rows} rows committed`,
        );
        await steps.step('every process lived through it', async () => {
          const fallen = deployment.apps.filter((app) => !app.running && app !== deployment.apps[0]);
          if (fallen.length > 0) throw new Error(`${fallen.length} ended:\n${fallen[0]?.output()}`);
        });
        await checkDelivery(steps, deployment, ledger);
        await steps.step('SIGTERM: every process ends with 0', () => deployment.stopAll());
      });
    },
  ],
  (given) => {
    if (!given.KRS_TEST_KAFKA || commands !== null) return given;
    process.stdout.write(`${NOT_OURS}\n`);
    const { KRS_TEST_KAFKA: _, ...rest } = given;
    return rest;
  },
);
