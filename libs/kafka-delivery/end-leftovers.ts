/**
 * Ends what a transaction that is over has left open.
 *
 * A coordinator counts a transaction as complete when every partition in it has its commit or abort marker. Kafka 4.1 to
 * 4.3.1 skip the partitions that have no leader at that moment (KAFKA-20734), so that a broker which is stopped under load
 * completes transactions without marking them: the markers of their lanes stay pending for ever (UNSTABLE_OFFSET_COMMIT), their
 * records hold up read_committed readers, and the next commit of the same producer would make them visible after all.
 * An empty transaction over the same partitions, aborted, is the marker that is missing.
 */
import { demandOfCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, faultOfThrown, isUnanswerable, type Step } from './fault-table.ts';
import { findPartitions, findProducers } from './find-producers.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { PartitionProducers } from './wire/describe-producers.ts';
import type { WireRequest } from './wire/request.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  type ProducerIdentity,
  type TopicPartitions,
} from './wire/transaction-requests.ts';

export interface LeftoverContext {
  readonly brokers: Brokers;
  readonly settings: KafkaSettings;
  /** Topics that the producer may have written to. */
  readonly topics: ReadonlySet<string>;
  /** Groups whose offsets it may have written. */
  readonly groups: readonly string[];
}

const PATIENCE_MS = 10_000;

/** Right after InitProducerId: nothing of the producer's is open that is known to its coordinator. */
export async function endLeftovers(context: LeftoverContext, identity: ProducerIdentity): Promise<void> {
  const { settings } = context;
  const left = await findOpen(context, identity.producerId);
  const step = 'init';
  if (left.length > 0) {
    settings.logger.warn(
      { transactionalId: identity.transactionalId, partitions: left },
      'records of a transaction that is over were left open: ending it',
    );
    await ask(context, identity, step, addPartitionsToTxn(identity, left));
  }
  // A pending marker shows only as a marker that cannot be read, so that the groups are always in it.
  for (const group of context.groups) {
    await ask(context, identity, step, addOffsetsToTxn(identity, group));
  }
  // Nothing was added to the transaction: there is none to end.
  if (left.length + context.groups.length > 0) await ask(context, identity, step, endTxn(identity, false));
}

async function ask(
  { brokers, settings }: LeftoverContext,
  { transactionalId: key }: ProducerIdentity,
  step: Step,
  request: WireRequest<{ readonly code: number }>,
): Promise<void> {
  const question = { kind: 'transaction', key, step, request, patienceMs: PATIENCE_MS } as const;
  await demandOfCoordinator(brokers, settings, question);
}

/**
 * Without what nobody would tell us: a broker older than 2.8, a topic that we may not read, a partition without a leader. Any
 * other fault goes through: what is open and not ended now would become visible with the next commit.
 */
async function findOpen(context: LeftoverContext, producerId: number): Promise<TopicPartitions[]> {
  const { brokers, settings, topics } = context;
  if (topics.size === 0) return [];
  const passOver = (error: unknown) => {
    if (!isUnanswerable(faultOfThrown(error, { step: 'init' }))) throw error;
    settings.logger.debug({ err: error }, 'open transactions cannot be looked up');
  };
  try {
    const open: PartitionProducers[] = [];
    for (const found of await findProducers(brokers, await findPartitions(brokers, topics))) {
      const { topic, partition, code, producers } = found;
      if (code !== CODE.none) passOver(faultOfCode(code, { step: 'init', topic, partition }));
      else if (producers.some((each) => each.producerId === producerId && each.openFrom >= 0)) open.push(found);
    }
    return [...Map.groupBy(open, ({ topic }) => topic)].map(([topic, each]) => ({
      topic,
      partitions: each.map(({ partition }) => partition),
    }));
  } catch (error) {
    passOver(error);
    return [];
  }
}
