/** InitProducerId for a transactional id: fences every older producer of it and ends its open transaction. */
import { askCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { initProducerId, type ProducerIdentity } from './wire/transaction-requests.ts';

/** Longer than a restarted broker needs to load its coordinators; the caller tries again after it. */
const PATIENCE_MS = 30_000;
/** A transaction whose end does not reach its partitions by then may wait for one of them for as long as it is away. */
const ENDING_MS = 8_000;

/** Rejects with the fault table's codes; KAFKA_UNREACHABLE when the coordinator does not come up in 30 s. */
export async function initProducer(
  brokers: Brokers,
  transactionalId: string,
  settings: KafkaSettings,
  patienceMs = PATIENCE_MS,
): Promise<ProducerIdentity> {
  const request = initProducerId(transactionalId, settings.transactionTimeoutMs);
  const { code, producerId, producerEpoch } = await askCoordinator(brokers, settings, {
    kind: 'transaction',
    key: transactionalId,
    step: 'init',
    request,
    patienceMs,
    endingMs: ENDING_MS,
  });
  if (code !== CODE.none) throw faultOfCode(code, { step: 'init', api: request.name });
  return { transactionalId, producerId, producerEpoch };
}
