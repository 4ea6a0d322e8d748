/** Who has a transaction open under our prefix: our own senders, or a deployment that should have another prefix. */
import { withDeadline } from '#runtime';
import { askCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { describeTransaction, listOpenTransactions } from './wire/inspect-requests.ts';

export interface OpenProducer {
  readonly transactionalId: string;
  /** By its coordinator's clock; a later one at a second look belongs to a producer that is alive. */
  readonly startedAtMs: number;
}

const DEADLINE_MS = 10_000;
const PATIENCE_MS = 2_000;
/** More open transactions than that under one prefix are not ours to sort out. */
const IDS_MAX = 200;

async function look(brokers: Brokers, { settings }: KafkaConnection): Promise<readonly OpenProducer[]> {
  await brokers.any();
  const cluster = await brokers.describe([]);
  const ids = new Set<string>();
  for (const { nodeId } of cluster.brokers) {
    const { code, transactionalIds } = await (await brokers.node(nodeId)).ask(listOpenTransactions());
    if (code !== CODE.none) throw faultOfCode(code, { step: 'read', api: 'ListTransactions' });
    for (const id of transactionalIds) if (id.startsWith(`${settings.prefix}.`)) ids.add(id);
  }
  const open: OpenProducer[] = [];
  for (const transactionalId of [...ids].slice(0, IDS_MAX)) {
    const { code, startedAtMs } = await askCoordinator(brokers, settings, {
      kind: 'transaction',
      key: transactionalId,
      step: 'read',
      request: describeTransaction(transactionalId),
      patienceMs: PATIENCE_MS,
    });
    if (code === CODE.none && startedAtMs >= 0) open.push({ transactionalId, startedAtMs });
  }
  return open;
}

/** Rejects with KAFKA_UNSUPPORTED before Kafka 3.0, and with the fault table's codes. */
export async function listOpenProducers(connection: KafkaConnection): Promise<readonly OpenProducer[]> {
  const brokers = connection.brokers();
  try {
    return await withDeadline(look(brokers, connection), DEADLINE_MS, 'listing open transactions').catch((error) => {
      throw faultOfThrown(error, { step: 'read' });
    });
  } finally {
    await brokers.close();
  }
}
