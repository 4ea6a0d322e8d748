/**
 * One Kafka transaction, step by step: add partitions and offsets, send the records and the markers side by side, commit.
 * Markers may be written before the records are acknowledged: both are part of the transaction, the commit waits for both.
 */
import { crashPoint, RelayError } from '#runtime';
import { askCoordinator, type Question } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, type Step } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { DeliveryPlan } from './plan-delivery.ts';
import { type FlowSender, sendToLeaders } from './send-flows.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  type GroupMember,
  type PartitionVerdict,
  type ProducerIdentity,
  txnOffsetCommit,
  txnOffsetCommitOfMember,
} from './wire/transaction-requests.ts';

export interface TransactionParts extends FlowSender {
  readonly identity: ProducerIdentity;
  readonly brokers: Brokers;
  readonly gate: (name: string) => Promise<void>;
  /** Leaders that have not acknowledged everything that was sent to them. */
  readonly pending?: Set<number>;
}

/** What a step asks of a coordinator. */
type Ask<Answer> = Pick<Question<Answer>, 'kind' | 'key' | 'step' | 'request'>;

/** Waiting for a coordinator is bounded by the deadline of the whole transaction, which is shorter. */
function ask<Answer extends { readonly code: number }>(
  parts: TransactionParts,
  question: Ask<Answer>,
): Promise<Answer> {
  const patienceMs = parts.settings.transactionTimeoutMs;
  return askCoordinator(parts.brokers, parts.settings, { ...question, patienceMs });
}

function throwIfRefused(answer: { readonly code: number } & Partial<PartitionVerdict>, step: Step): void {
  if (answer.code === CODE.none) return;
  const { topic = null, partition = null } = answer;
  throw faultOfCode(answer.code, { step, topic, partition });
}

async function addPartitions(parts: TransactionParts, plan: DeliveryPlan): Promise<void> {
  if (plan.topics.length === 0) return;
  const { identity } = parts;
  const step = 'send';
  const request = addPartitionsToTxn(identity, plan.topics);
  const answer = await ask(parts, { kind: 'transaction', key: identity.transactionalId, step, request });
  throwIfRefused(answer, step);
}

/** Offsets to be committed with the transaction, of one group. */
export interface OffsetSet {
  readonly group: string;
  /** Null for a group that nobody joins: its offsets are markers. */
  readonly member: GroupMember | null;
  readonly topics: readonly {
    readonly topic: string;
    readonly offsets: readonly { readonly partition: number; readonly offset: number }[];
  }[];
  /** Written beside the offsets. */
  readonly note?: string;
}

async function addOffsets(parts: TransactionParts, sets: readonly OffsetSet[]): Promise<void> {
  const { identity } = parts;
  const step = 'markers';
  for (const { group } of sets) {
    const request = addOffsetsToTxn(identity, group);
    const answer = await ask(parts, { kind: 'transaction', key: identity.transactionalId, step, request });
    throwIfRefused(answer, step);
  }
}

async function sendRecords(parts: TransactionParts, plan: DeliveryPlan): Promise<void> {
  await parts.gate('before:send');
  await sendToLeaders(parts.brokers, plan.flowsByLeader, parts, parts.pending);
  crashPoint('kafka-after-send');
  await parts.gate('after:send');
}

async function writeMarkers(parts: TransactionParts, sets: readonly OffsetSet[]): Promise<void> {
  const { identity } = parts;
  const step = 'markers';
  await parts.gate('before:markers');
  for (const { group, member, topics, note = '' } of sets) {
    const requests =
      member === null
        ? topics.map(({ topic, offsets }) => txnOffsetCommit(identity, group, topic, offsets, note))
        : [txnOffsetCommitOfMember(identity, group, member, topics, note)];
    for (const request of requests) {
      throwIfRefused(await ask(parts, { kind: 'group', key: group, step, request }), step);
    }
  }
  crashPoint('kafka-after-markers');
  await parts.gate('after:markers');
}

/**
 * Everything up to the commit. After it, the transaction is complete but open.
 * Partitions and offsets are added one after the other and before anything is sent: brokers ask the coordinator whether a
 * batch's transaction is open, and while it is adding something they refuse the batch with NOT_ENOUGH_REPLICAS.
 */
export async function fillTransaction(
  parts: TransactionParts,
  plan: DeliveryPlan,
  sets: readonly OffsetSet[],
): Promise<void> {
  await addPartitions(parts, plan);
  await addOffsets(parts, sets);
  const sending = sendRecords(parts, plan);
  try {
    await Promise.all([writeMarkers(parts, sets), sending]);
  } catch (fault) {
    throw (await refusalOf(sending, parts.settings)) ?? fault;
  }
}

/** What is said of the records may take this much longer than what is said of the markers. */
const REFUSAL_WAIT_MS = 5_000;

/** A connection that breaks over a record takes the markers' request along, whose fault says nothing of records. */
async function refusalOf(sending: Promise<void>, { clock }: Pick<KafkaSettings, 'clock'>): Promise<RelayError | null> {
  const given = new AbortController();
  const refusal = sending.then(
    () => null,
    (error: unknown) => (error instanceof RelayError && error.verdict === 'row-fault' ? error : null),
  );
  const late = clock.sleep(REFUSAL_WAIT_MS, given.signal).then(() => null);
  try {
    return await Promise.race([refusal, late]);
  } finally {
    given.abort();
  }
}

/**
 * Asked once: an answer that was lost cannot be told from a commit, and whoever opens the producer anew learns the truth
 * from the markers. Any rejection but KAFKA_FENCED means that the outcome is unknown.
 */
export async function endTransaction(parts: TransactionParts, commit: boolean): Promise<void> {
  const { identity } = parts;
  const step = 'commit';
  const request = endTxn(identity, commit);
  const question = { kind: 'transaction', key: identity.transactionalId, step, request } as const;
  const answer = await askCoordinator(parts.brokers, parts.settings, { ...question, patienceMs: -1 });
  throwIfRefused(answer, step);
}
