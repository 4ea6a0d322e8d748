/**
 * Ends what a transaction that is over has left open.
 *
 * A coordinator counts a transaction as complete when every partition in it has its commit or abort marker. Kafka 4.1 to
 * 4.3.1 skip the partitions that have no leader at that moment (KAFKA-20734), so that a broker which is stopped under load
 * completes transactions without marking them: the markers of their lanes stay pending for ever (UNSTABLE_OFFSET_COMMIT), their
 * records hold up read_committed readers, and the next commit of the same producer would make them visible after all.
 * An empty transaction over the same partitions, aborted, is the marker that is missing.
 */
import { RelayError } from '#runtime';
import { demandOfCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { faultOfThrown, isUnanswerable, type Step } from './fault-table.ts';
import { nameTargets } from './fault-targets.ts';
import { askProducers, findPartitions, type PartitionPlace, placeName } from './find-producers.ts';
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

/**
 * Right after InitProducerId: nothing of the producer's is open that is known to its coordinator. Answers with the partitions that
 * cannot be asked now: whatever is open there stays so, and the next commit of the producer in them would make it visible.
 */
export async function endLeftovers(
  context: LeftoverContext,
  identity: ProducerIdentity,
): Promise<readonly PartitionPlace[]> {
  const { open, unasked } = await findOpen(context, identity.producerId);
  await endOpen(context, identity, open);
  return unasked;
}

/**
 * The same for partitions that could not be asked then, while nothing of the producer's is under way. Rejects with a fault that
 * names those that still cannot be.
 */
export async function endLeftoversAt(
  context: Pick<LeftoverContext, 'brokers' | 'settings'>,
  identity: ProducerIdentity,
  places: readonly PartitionPlace[],
  countOf: (topic: string) => number | undefined,
): Promise<void> {
  const { found, unasked } = await askProducers(context.brokers, places);
  const [first] = unasked;
  if (first !== undefined) {
    const { topic, partition } = first;
    const details = { step: 'metadata', topic, partition };
    const why = `partition ${placeName(first)} does not say what is open in it`;
    throw nameTargets(new RelayError('KAFKA_UNREACHABLE', why, { details }), unasked, countOf);
  }
  const open = found.filter(({ producers }) =>
    producers.some((each) => each.producerId === identity.producerId && each.openFrom >= 0),
  );
  if (open.length > 0) await endOpen({ ...context, groups: [] }, identity, byTopic(open));
}

async function endOpen(
  context: Pick<LeftoverContext, 'brokers' | 'settings' | 'groups'>,
  identity: ProducerIdentity,
  left: readonly TopicPartitions[],
): Promise<void> {
  const step = 'init';
  if (left.length > 0) {
    context.settings.logger.warn(
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
  { brokers, settings }: Pick<LeftoverContext, 'brokers' | 'settings'>,
  { transactionalId: key }: ProducerIdentity,
  step: Step,
  request: WireRequest<{ readonly code: number }>,
): Promise<void> {
  const question = { kind: 'transaction', key, step, request, patienceMs: PATIENCE_MS } as const;
  await demandOfCoordinator(brokers, settings, question);
}

/** Without what nobody would tell us, ever: a broker older than 2.8, a topic that we may not read. */
async function findOpen(
  { brokers, settings, topics }: LeftoverContext,
  producerId: number,
): Promise<{ readonly open: readonly TopicPartitions[]; readonly unasked: readonly PartitionPlace[] }> {
  if (topics.size === 0) return { open: [], unasked: [] };
  try {
    const { found, unasked } = await askProducers(brokers, await findPartitions(brokers, topics), (err) => {
      settings.logger.debug({ err }, 'open transactions cannot be looked up');
    });
    const open = found.filter(({ producers }) =>
      producers.some((each) => each.producerId === producerId && each.openFrom >= 0),
    );
    return { open: byTopic(open), unasked };
  } catch (error) {
    if (!isUnanswerable(faultOfThrown(error, { step: 'init' }))) throw error;
    settings.logger.debug({ err: error }, 'open transactions cannot be looked up');
    return { open: [], unasked: [] };
  }
}

const byTopic = (places: readonly PartitionProducers[]): TopicPartitions[] =>
  [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, each]) => ({
    topic,
    partitions: each.map(({ partition }) => partition),
  }));
