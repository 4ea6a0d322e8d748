/** Who has delivered under our prefix, and when last: our own senders, or a deployment that should have another prefix. */
import { withDeadline } from '#runtime';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { describeTransactions, listTransactions } from './wire/inspect-requests.ts';

export interface KnownProducer {
  readonly transactionalId: string;
  /** Begin of its last transaction by its coordinator's clock: when it is later at a second look, the producer is alive. */
  readonly startedAtMs: number;
}

const DEADLINE_MS = 10_000;
/** Kafka remembers ids for a week, and every start of a process may bring a new one; past this, the rest is not looked at. */
const IDS_MAX = 5_000;

async function lookAtBroker(link: BrokerLink, prefix: string): Promise<readonly KnownProducer[]> {
  const { code, transactionalIds } = await link.ask(listTransactions());
  if (code !== CODE.none) throw faultOfCode(code, { step: 'read', api: 'ListTransactions' });
  const ids = transactionalIds.filter((id) => id.startsWith(prefix)).slice(0, IDS_MAX);
  if (ids.length === 0) return [];
  const { transactions } = await link.ask(describeTransactions(ids));
  // An id that expired or moved in between is somebody else's to tell, at the next look.
  return transactions.filter((each) => each.code === CODE.none && each.startedAtMs >= 0);
}

async function look(brokers: Brokers, { settings }: KafkaConnection): Promise<readonly KnownProducer[]> {
  const cluster = await brokers.describe([]);
  const found = await Promise.all(
    cluster.brokers.map(async ({ nodeId }) => lookAtBroker(await brokers.node(nodeId), `${settings.prefix}.`)),
  );
  return found.flat();
}

/** Rejects with KAFKA_UNSUPPORTED before Kafka 3.0, and with the fault table's codes. */
export async function listProducers(connection: KafkaConnection): Promise<readonly KnownProducer[]> {
  const brokers = connection.brokers();
  try {
    return await withDeadline(look(brokers, connection), DEADLINE_MS, 'listing transactions').catch((error) => {
      throw faultOfThrown(error, { step: 'read' });
    });
  } finally {
    await brokers.close();
  }
}
