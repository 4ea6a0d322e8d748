/** What every case ends with: each committed row is in the topic exactly once, in its key's order, and nothing is left. */
import {
  assertContiguousIds,
  assertLedgerDelivered,
  type Deployment,
  type Ledger,
  readSampleRow,
  readTopic,
  until,
} from '#testkit';
import type { Steps } from './steps.ts';

const WAIT_SECONDS = 60;
const OUTBOX_DEADLINE_MS = 15_000;

export async function checkDelivery(steps: Steps, deployment: Deployment, ledger: Ledger): Promise<void> {
  await steps.step(
    'verify',
    async () => {
      const { code, output } = await deployment.cli('verify', '--wait', String(WAIT_SECONDS));
      if (code !== 0) throw new Error(`verify ended with ${code}: ${output}`);
      return output;
    },
    (output) => output,
  );
  await steps.step(
    'a read_committed reader finds each committed row once, in the order of its key',
    async () => {
      const records = await readTopic(deployment.topic, { bootstrap: deployment.servers.kafkaBootstrap });
      assertLedgerDelivered(
        ledger,
        records.map(({ value }) => readSampleRow(value)),
      );
      const ids = records.map(({ headers }) => Number(headers['outbox-id']) % 2 ** 43);
      assertContiguousIds(ids, 1, records.length);
      return records.length;
    },
    (count) => `${count} records`,
  );
  await steps.step('the outbox is empty', () =>
    until('an empty outbox', async () => (await outboxRows(deployment)) === 0, OUTBOX_DEADLINE_MS),
  );
}

export async function outboxRows(deployment: Deployment): Promise<number> {
  const [row] = await deployment.query<{ n: number }>('SELECT COUNT(*) AS n FROM kafka_row_sender_outbox');
  return Number(row?.n ?? 0);
}
