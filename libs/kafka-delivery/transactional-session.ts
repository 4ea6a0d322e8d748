/** A transactional producer from InitProducerId to its first error: every fault ends it, the next one starts clean. */
import type { ProducerSession } from '#outbox';
import { crashPoint, RelayError, withDeadline } from '#runtime';
import type { BatchBounds } from './batch-bounds.ts';
import type { Brokers } from './brokers.ts';
import { endLeftovers } from './end-leftovers.ts';
import { faultOfThrown, type Step } from './fault-table.ts';
import { initProducer } from './init-producer.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { markerGroups, markerOffsets } from './markers-of-lanes.ts';
import { planDelivery, type RoutedRecord, topicsOf } from './plan-delivery.ts';
import { createRecordLimits } from './record-limits.ts';
import { createSequences, type Sequences } from './sequences.ts';
import { createTopicViews } from './topic-views.ts';
import { endTransaction, fillTransaction, type OffsetSet, type TransactionParts } from './transaction.ts';

export interface SessionContext {
  readonly settings: KafkaSettings;
  /** The session's own connections, closed with it. */
  readonly brokers: Brokers;
  readonly bounds: BatchBounds;
  /** Topics that were ever delivered to; the session adds its own. */
  readonly topics: Set<string>;
  readonly sequences?: Sequences;
}

/** The broker ends the transaction at its timeout: give up before that, as a share of it. */
const DEADLINE_SHARE = 0.75;
const ABORT_DEADLINE_MS = 1_000;

const noGate = async (): Promise<void> => undefined;

/** Where a transaction is; decides what an error means and whether closing has something to abort. */
interface Progress {
  step: Step;
  open: boolean;
}

/** A producer from InitProducerId to its first error. */
export interface OpenProducer {
  /** One transaction; resolves when it is certainly committed. After a rejection close it and open a new one. */
  transact(records: readonly RoutedRecord[], offsets: readonly OffsetSet[]): Promise<void>;
  /** Ends what is open, where that is possible. */
  close(): Promise<void>;
}

/** The relay's session: offsets are the markers of lanes. Closes `context.brokers` when it rejects. */
export async function openTransactionalSession(
  transactionalId: string,
  context: SessionContext,
): Promise<ProducerSession> {
  const { settings } = context;
  const producer = await openProducer(transactionalId, context, markerGroups(settings));
  return {
    transactional: true,
    transact: (records, markers) => producer.transact(records, markerOffsets(settings, markers)),
    close: () => producer.close(),
  };
}

/** Fences older producers of the id and ends what they left open. Closes `context.brokers` when it rejects. */
export async function openProducer(
  transactionalId: string,
  context: SessionContext,
  groups: readonly string[],
): Promise<OpenProducer> {
  const { settings, brokers, bounds, topics } = context;
  const gate = settings.gate ?? noGate;
  try {
    await gate('before:open');
    const identity = await initProducer(brokers, transactionalId, settings);
    await endLeftovers({ ...context, groups }, identity);
    crashPoint('kafka-after-open');
    await gate('after:open');
    settings.logger.debug({ ...identity }, 'opened a transactional producer');
    const sequences = context.sequences ?? createSequences();
    return startSession({ settings, brokers, bounds, sequences, identity, gate }, topics);
  } catch (error) {
    await brokers.close();
    throw faultOfThrown(error, { step: 'init' });
  }
}

function startSession(parts: TransactionParts, topics: Set<string>): OpenProducer {
  const { settings, brokers, gate } = parts;
  const views = createTopicViews(brokers, settings);
  const limits = createRecordLimits(brokers, settings, parts.bounds);
  const deadlineMs = settings.transactionTimeoutMs * DEADLINE_SHARE;
  const progress: Progress = { step: 'metadata', open: false };
  let state: 'ready' | 'busy' | 'dead' | 'closed' = 'ready';

  async function run(records: readonly RoutedRecord[], offsets: readonly OffsetSet[]): Promise<void> {
    progress.step = 'metadata';
    const sentTo = topicsOf(records);
    const leaders = await views.load(sentTo);
    await limits.load(sentTo);
    const plan = planDelivery(records, leaders, settings.partitioner, limits);
    for (const topic of sentTo) topics.add(topic);
    progress.step = 'send';
    progress.open = true;
    await fillTransaction(parts, plan, offsets);
    await gate('before:commit');
    crashPoint('kafka-before-commit');
    // The deadline may have passed meanwhile, and the caller may already be starting anew.
    if (state !== 'busy') throw new RelayError('STOPPED', 'the transaction was given up');
    progress.step = 'commit';
    progress.open = false;
    await endTransaction(parts, true);
    crashPoint('kafka-after-commit');
    await gate('after:commit');
  }

  async function transact(records: readonly RoutedRecord[], offsets: readonly OffsetSet[]): Promise<void> {
    if (state !== 'ready') {
      throw new RelayError('INTERNAL', `transact on a Kafka producer that is ${state}`);
    }
    if (records.length === 0 && offsets.length === 0) return;
    state = 'busy';
    try {
      await withDeadline(run(records, offsets), deadlineMs, 'a Kafka transaction');
      state = 'ready';
    } catch (error) {
      state = 'dead';
      throw faultOfThrown(error, { step: progress.step });
    }
  }

  async function close(): Promise<void> {
    if (state === 'closed') return;
    state = 'closed';
    // Readers would stall on the open transaction until its timeout. A producer opened later under the same id has a
    // higher epoch, so that this abort can never end one of its transactions.
    if (progress.open) {
      await withDeadline(endTransaction(parts, false), ABORT_DEADLINE_MS, 'aborting').catch(() => undefined);
    }
    await brokers.close();
  }

  return { transact, close };
}
