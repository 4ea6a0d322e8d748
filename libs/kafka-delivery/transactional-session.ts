/** A transactional producer from InitProducerId to its first error: every fault ends it, the next one starts clean. */
import type { ProducerSession } from '#outbox';
import { crashPoint, RelayError, withDeadline } from '#runtime';
import { Acknowledged, type SentEnd } from './acknowledged.ts';
import { askClock } from './ask-clock.ts';
import type { BatchBounds } from './batch-bounds.ts';
import type { Brokers } from './brokers.ts';
import type { Closings } from './closings.ts';
import { endLeftovers, endLeftoversAt } from './end-leftovers.ts';
import { faultOfThrown, type Step } from './fault-table.ts';
import { nameTarget, nameTargets } from './fault-targets.ts';
import { findPartitions, type PartitionPlace, placeName } from './find-producers.ts';
import { initProducer } from './init-producer.ts';
import { type KafkaSettings, markerName } from './kafka-options.ts';
import { byPlaceName } from './known-producers.ts';
import { noteText } from './marker-note.ts';
import { markerGroups, markerOffsets } from './markers-of-lanes.ts';
import { type DeliveryPlan, type RoutedRecord, topicsOf } from './plan-delivery.ts';
import { createPlanner } from './planner.ts';
import type { RecordTime } from './record-time.ts';
import type { FlowSender } from './send-flows.ts';
import { createSequences, type Sequences } from './sequences.ts';
import type { SizeLimits, SizeLore } from './size-limits.ts';
import { createTopicViews } from './topic-views.ts';
import { endTransaction, fillTransaction, type OffsetSet, type TransactionParts } from './transaction.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

export interface SessionContext {
  readonly settings: KafkaSettings;
  /** The session's own connections, closed with it. */
  readonly brokers: Brokers;
  readonly bounds: BatchBounds;
  readonly recordTime: RecordTime;
  readonly sizes?: SizeLore;
  readonly closings?: Closings;
  /** Topics that were ever delivered to; the session adds its own. */
  readonly topics: Set<string>;
  readonly sequences?: Sequences;
  /** Called when older producers of the id can send nothing more: may add to `topics`. */
  readonly onFenced?: () => Promise<void>;
  /** Told of the partitions in which something of the producer may be open; it takes out those it has looked at since. */
  readonly onUnseen?: (places: ReadonlyMap<string, PartitionPlace>) => void;
  /** Told of the relay's producer once it is open: what it has acknowledged by then is nobody's business. */
  readonly onOpened?: (acknowledged: Acknowledged) => void;
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
  readonly identity: ProducerIdentity;
  /** What its records carry, in milliseconds since the epoch. */
  readonly timeMs: () => number;
  /**
   * One transaction; resolves when it is certainly committed. After a rejection close it and open a new one. `onAppended` is
   * told of each batch that a broker has acknowledged: the offset behind its last record.
   */
  transact(
    records: readonly RoutedRecord[],
    offsets: readonly OffsetSet[],
    onAppended?: FlowSender['onAppended'],
  ): Promise<void>;
  /** As the session's. */
  readonly misfits: SizeLimits['misfits'];
  /** After a rejection: nothing was begun, and the producer may go on. */
  isIntact(): boolean;
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
  const { producerId, producerEpoch } = producer.identity;
  const acknowledged = new Acknowledged(producer.identity);
  context.onOpened?.(acknowledged);
  return {
    transactional: true,
    transact: async (records, markers) => {
      const startedAtMs = producer.timeMs();
      const ends = new Map<string, SentEnd>();
      const note = noteText({ producerId, producerEpoch, sinceMs: acknowledged.sinceMs(startedAtMs) });
      await producer.transact(records, markerOffsets(settings, markers, note), (topic, partition, end) => {
        ends.set(placeName({ topic, partition }), { topic, partition, end });
      });
      acknowledged.add(
        startedAtMs,
        ends,
        new Map(markers.map((each) => [markerName(each.kind, each.lane), each.value])),
      );
    },
    misfits: producer.misfits,
    throttle: () => context.brokers.throttle(),
    isIntact: () => producer.isIntact(),
    close: () => producer.close(),
  };
}

/** Fences older producers of the id and ends what they left open. Closes `context.brokers` when it rejects. */
export async function openProducer(
  transactionalId: string,
  context: SessionContext,
  groups: readonly string[],
): Promise<OpenProducer> {
  const { settings, brokers, topics, recordTime } = context;
  const gate = settings.gate ?? noGate;
  try {
    await gate('before:open');
    const identity = await initProducer(brokers, transactionalId, settings);
    await context.onFenced?.();
    const places = await endLeftovers({ ...context, groups }, identity);
    const unseen = byPlaceName(places);
    context.onUnseen?.(unseen);
    const timeMs = await recordTime.begin(async () => {
      const difference = await askClock(brokers, settings, identity, groups);
      return difference?.value ?? null;
    });
    crashPoint('kafka-after-open');
    await gate('after:open');
    settings.logger.debug({ ...identity }, 'opened a transactional producer');
    const sequences = context.sequences ?? createSequences();
    const onTimeRefused = recordTime.refused;
    return startSession({ ...context, timeMs, onTimeRefused, sequences, identity, gate }, topics, unseen);
  } catch (error) {
    await brokers.close();
    throw faultOfThrown(error, { step: 'init' });
  }
}

type SessionParts = TransactionParts & Pick<SessionContext, 'sizes' | 'closings'>;

function startSession(given: SessionParts, topics: Set<string>, unseen: Map<string, PartitionPlace>): OpenProducer {
  const { settings, brokers, gate } = given;
  const views = createTopicViews(brokers, settings);
  const planner = createPlanner(given, views);
  const parts = { ...given, ...planner.hooks };
  const deadlineMs = settings.transactionTimeoutMs * DEADLINE_SHARE;
  const progress: Progress = { step: 'metadata', open: false };
  const pending = new Set<number>();
  let state: 'ready' | 'busy' | 'dead' | 'closed' = 'ready';
  let flows: DeliveryPlan['flowsByLeader'] = new Map();

  const run: OpenProducer['transact'] = async (records, offsets, onAppended) => {
    progress.step = 'metadata';
    const sentTo = topicsOf(records);
    const plan = await planner.plan(records, sentTo);
    await endUnseen(parts, plan, unseen, views.countOf);
    for (const topic of sentTo) topics.add(topic);
    progress.step = 'send';
    progress.open = true;
    flows = plan.flowsByLeader;
    const sender = { ...parts, pending, countOf: views.countOf };
    await fillTransaction(onAppended ? { ...sender, onAppended } : sender, plan, offsets);
    await gate('before:commit');
    crashPoint('kafka-before-commit');
    // The deadline may have passed meanwhile, and the caller may already be starting anew.
    if (state !== 'busy') throw new RelayError('STOPPED', 'the transaction was given up');
    progress.step = 'commit';
    progress.open = false;
    await endTransaction(parts, true);
    crashPoint('kafka-after-commit');
    await gate('after:commit');
  };

  const transact: OpenProducer['transact'] = async (records, offsets, onAppended) => {
    if (state !== 'ready') {
      throw new RelayError('INTERNAL', `transact on a Kafka producer that is ${state}`);
    }
    if (records.length === 0 && offsets.length === 0) return;
    state = 'busy';
    pending.clear();
    flows = new Map();
    const running = watchEnd(run(records, offsets, onAppended));
    try {
      await withDeadline(running.work, deadlineMs, 'a Kafka transaction');
      state = 'ready';
    } catch (error) {
      // What is still running may yet begin.
      const isOver = running.isOver();
      if (state === 'busy') state = progress.step === 'metadata' && isOver ? 'ready' : 'dead';
      views.forget();
      const slow = isOver ? [] : [...pending].flatMap((leader) => flows.get(leader) ?? []);
      throw faultOf(error, progress.step, slow, views.countOf);
    }
  };

  async function close(): Promise<void> {
    if (state === 'closed') return;
    state = 'closed';
    await abandon(parts, progress.open);
  }

  return {
    identity: parts.identity,
    timeMs: parts.timeMs,
    transact,
    misfits: planner.misfits,
    isIntact: () => state === 'ready',
    close,
  };
}

/** `slow`: what the leaders have not taken when nothing but records is still on its way. */
function faultOf(
  error: unknown,
  step: Step,
  slow: DeliveryPlan['flowsByLeader'] extends ReadonlyMap<number, infer Flows> ? Flows : never,
  countOf: (topic: string) => number | undefined,
): RelayError {
  const fault = nameTarget(faultOfThrown(error, { step }), countOf);
  return slow.length > 0 && step === 'send' ? nameTargets(fault, slow, countOf) : fault;
}

/** Whether work has ended, also when nobody waits for it any more. */
function watchEnd(work: Promise<void>): { readonly work: Promise<void>; readonly isOver: () => boolean } {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  return { work, isOver: () => isOver };
}

/**
 * Readers would stall on an open transaction until its timeout. A producer opened later under the same id has a higher epoch, so
 * that this abort can never end one of its transactions.
 */
async function abandon(parts: TransactionParts, isOpen: boolean): Promise<void> {
  if (isOpen) await withDeadline(endTransaction(parts, false), ABORT_DEADLINE_MS, 'aborting').catch(() => undefined);
  await parts.brokers.close();
}

/** Partitions in which something of this producer may be open, unseen so far: ended before anything is committed in them. */
async function endUnseen(
  parts: TransactionParts,
  { topics }: DeliveryPlan,
  unseen: Map<string, PartitionPlace>,
  countOf: (topic: string) => number | undefined,
): Promise<void> {
  if (unseen.size === 0) return;
  const wanted = topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => placeName({ topic, partition })),
  );
  const names = new Set(wanted.filter((name) => unseen.has(name)));
  if (names.size === 0) return;
  const places = await findPartitions(parts.brokers, new Set([...names].map((name) => unseen.get(name)?.topic ?? '')));
  await endLeftoversAt(parts, parts.identity, places.filter((place) => names.has(placeName(place))), countOf); // biome-ignore format: one line
  for (const name of names) unseen.delete(name);
}
