/**
 * One Kafka transaction, step by step: add the partitions, send the records and the markers side by side, commit.
 * Markers may be written before the records are acknowledged: both are part of the transaction, and the commit waits for both.
 */
import type { MarkerWrite } from '#outbox';
import { crashPoint } from '#runtime';
import { askCoordinator, type Question } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, type Step } from './fault-table.ts';
import { markerGroup, markerTopic } from './kafka-options.ts';
import type { DeliveryPlan } from './plan-delivery.ts';
import { type FlowSender, sendFlows } from './send-flows.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  type PartitionVerdict,
  type ProducerIdentity,
  txnOffsetCommit,
} from './wire/transaction-requests.ts';

export interface TransactionParts extends FlowSender {
  readonly identity: ProducerIdentity;
  readonly brokers: Brokers;
  readonly gate: (name: string) => Promise<void>;
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

async function sendRecords(parts: TransactionParts, plan: DeliveryPlan): Promise<void> {
  await parts.gate('before:send');
  await Promise.all(
    [...plan.flowsByLeader].map(async ([leader, flows]) => {
      await sendFlows(await parts.brokers.node(leader), flows, parts);
    }),
  );
  crashPoint('kafka-after-send');
  await parts.gate('after:send');
}

async function writeMarkers(
  parts: TransactionParts,
  kind: 'lane' | 'retry',
  markers: readonly MarkerWrite[],
): Promise<void> {
  if (markers.length === 0) return;
  const { settings, identity } = parts;
  const group = markerGroup(settings.prefix, settings.outboxTable, kind);
  const step = 'markers';
  const key = identity.transactionalId;
  const adding = addOffsetsToTxn(identity, group);
  throwIfRefused(await ask(parts, { kind: 'transaction', key, step, request: adding }), step);
  const offsets = markers.map(({ lane, value }) => ({ partition: lane, offset: value }));
  const committing = txnOffsetCommit(identity, group, markerTopic(settings.prefix), offsets);
  throwIfRefused(await ask(parts, { kind: 'group', key: group, step, request: committing }), step);
}

async function writeAllMarkers(parts: TransactionParts, markers: readonly MarkerWrite[]): Promise<void> {
  await parts.gate('before:markers');
  for (const kind of ['lane', 'retry'] as const) {
    const ofKind = markers.filter((marker) => marker.kind === kind);
    await writeMarkers(parts, kind, ofKind);
  }
  await parts.gate('after:markers');
}

/** Everything up to the commit. After it, the transaction is complete but open. */
export async function fillTransaction(
  parts: TransactionParts,
  plan: DeliveryPlan,
  markers: readonly MarkerWrite[],
): Promise<void> {
  await addPartitions(parts, plan);
  await Promise.all([sendRecords(parts, plan), writeAllMarkers(parts, markers)]);
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
