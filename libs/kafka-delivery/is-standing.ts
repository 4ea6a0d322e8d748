/** Asks whether a producer is still the last one of its transactional id: one that was fenced learns of it at its next write only. */
import { askCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, faultOfThrown, isUnanswerable } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { describeTransactions } from './wire/inspect-requests.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

/** Whoever asks comes again anyway. */
const PATIENCE_MS = 1_000;

/**
 * False once somebody has initialised the transactional id anew, by its coordinator, which raises the epoch before it ends
 * anything. Brokers before 3.0 cannot be asked and do not lose commits (KAFKA-20734 came with 4.1); whoever may write with a
 * transactional id may describe it, unless somebody denied just that.
 */
export async function isStanding(
  brokers: Brokers,
  settings: KafkaSettings,
  { transactionalId, producerId, producerEpoch }: ProducerIdentity,
): Promise<boolean> {
  const request = describeTransactions([transactionalId]);
  const step = 'read';
  try {
    const question = { kind: 'transaction', key: transactionalId, step, request, patienceMs: PATIENCE_MS } as const;
    const { code, transactions } = await askCoordinator(brokers, settings, question);
    if (code === CODE.transactionalIdNotFound) return false;
    if (code !== CODE.none) throw faultOfCode(code, { step, api: request.name });
    return transactions.some((each) => each.producerId === producerId && each.producerEpoch === producerEpoch);
  } catch (error) {
    if (isUnanswerable(faultOfThrown(error, { step }))) return true;
    throw error;
  }
}
