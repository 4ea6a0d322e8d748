/** Sends the flows of one leader, request after request, and checks that every batch sent is in the answer. */
import { RelayError } from '#runtime';
import type { BatchBounds } from './batch-bounds.ts';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { nameTargets, targetsOf } from './fault-targets.ts';
import { isTransactional, type KafkaSettings } from './kafka-options.ts';
import type { DeliveryPlan } from './plan-delivery.ts';
import type { Sequences } from './sequences.ts';
import { REQUEST_ROOM_BYTES } from './size-limits.ts';
import type { Suspects } from './suspects.ts';
import { type PartitionFlow, type ProducedPartition, produce, type SentBatch } from './wire/produce-request.ts';
import type { BatchContext } from './wire/record-batch.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

export interface FlowSender {
  readonly settings: KafkaSettings;
  readonly bounds: BatchBounds;
  readonly sequences: Sequences;
  /** What records carry, in milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Told when a broker refuses that time. */
  readonly onTimeRefused?: () => void;
  /** Null for a plain producer. */
  readonly identity: ProducerIdentity | null;
  /** What the broker of this link takes in one request; null: not known. */
  readonly requestMaxOf?: (link: BrokerLink) => number | null;
  /** Told of what a broker has acknowledged, and asked what a fault at sending means. */
  readonly suspects?: Suspects;
  /** True of a broker that has throttled us within the last minute. */
  readonly isThrottled?: (link: BrokerLink) => boolean;
  /** How many partitions a topic has that is sent to. */
  readonly countOf?: (topic: string) => number | undefined;
  /** Told of each batch that the broker has acknowledged: the offset behind its last record. */
  readonly onAppended?: (topic: string, partition: number, end: number) => void;
}

/**
 * Throws the fault of the first batch refused, or KAFKA_OUTCOME_UNKNOWN when a batch is missing from the answer: what
 * the broker did not acknowledge by name was not acknowledged (kafkajs pull request 1798 is about losing such a one).
 */
export function checkProduced(
  sent: readonly SentBatch[],
  answered: readonly ProducedPartition[],
  bounds: BatchBounds,
  countOf: (topic: string) => number | undefined = () => undefined,
): void {
  let missing: SentBatch | null = null;
  for (const batch of sent) {
    const { topic, partition } = batch;
    const answer = answered.find((each) => each.topic === topic && each.partition === partition);
    if (!answer) {
      missing ??= batch;
      continue;
    }
    if (answer.code === CODE.none) continue;
    const tooLarge = answer.code === CODE.messageTooLarge || answer.code === CODE.recordListTooLarge;
    if (tooLarge && batch.records > 1) bounds.tooLarge(topic, batch.bytes);
    else if (tooLarge) bounds.recordTooLarge(topic, batch.bytes);
    const fault = faultOfCode(answer.code, { step: 'send', topic, partition, records: batch.records });
    const alike = answered.filter(
      ({ code }) => code !== CODE.none && faultOfCode(code, { step: 'send' }).code === fault.code,
    );
    throw nameTargets(fault, alike, countOf);
  }
  if (missing) {
    const { topic, partition } = missing;
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'the broker did not acknowledge every partition sent', {
      details: { step: 'send', topic, partition },
    });
  }
}

function contextFor(sender: FlowSender, flow: PartitionFlow, brokerBytesMax: number): BatchContext {
  const { settings, identity } = sender;
  const { topic, partition } = flow;
  return {
    producerId: identity?.producerId ?? -1,
    producerEpoch: identity?.producerEpoch ?? -1,
    firstSequence: identity === null ? -1 : sender.sequences.next(topic, partition),
    transactional: identity !== null,
    timestampMs: sender.timeMs(),
    compression: settings.compression,
    bytesMax: Math.min(sender.bounds.of(topic), Math.max(1, brokerBytesMax - REQUEST_ROOM_BYTES)),
  };
}

/**
 * Requests of one leader under way at once: while the broker appends one, the next is being written. Safe without
 * retries: the broker takes a socket's requests in order, and after a refusal the producer is thrown away.
 */
const UNDER_WAY_MAX = 4;

interface SentRequest {
  readonly acknowledged: Promise<void>;
}

/** Resolves once the request is on its way; `acknowledged` when every batch of it is. */
async function sendRequest(
  link: BrokerLink,
  flows: readonly PartitionFlow[],
  sender: FlowSender,
): Promise<SentRequest> {
  const { settings, identity, sequences, bounds } = sender;
  const acks = isTransactional(settings) ? -1 : settings.acks;
  const brokerBytesMax = sender.requestMaxOf?.(link) ?? Number.POSITIVE_INFINITY;
  const request = produce(flows, {
    transactionalId: identity?.transactionalId ?? null,
    acks,
    timeoutMs: settings.requestTimeoutMs,
    requestBytesMax: settings.requestBytesMax,
    brokerBytesMax,
    contextOf: (flow) => contextFor(sender, flow, brokerBytesMax),
  });
  const failed = (posted: boolean) => (error: unknown) => {
    throw faultOfThrown(error, { step: 'send', posted });
  };
  const { answer } = await link.post(request).catch(failed(false));
  for (const { topic, partition, records } of request.sent) sequences.advance(topic, partition, records);
  const acknowledged = answer.then((produced) => {
    if (acks === 0) return;
    if (produced.some(({ code }) => code === CODE.invalidTimestamp)) sender.onTimeRefused?.();
    checkProduced(request.sent, produced, bounds, sender.countOf);
    sender.suspects?.taken(link);
    for (const { topic, partition, baseOffset } of sender.onAppended ? produced : []) {
      const sent = request.sent.find((each) => each.topic === topic && each.partition === partition);
      sender.onAppended?.(topic, partition, baseOffset + (sent?.records ?? 0));
    }
  }, failed(true));
  // It is awaited later; a fault that comes first must not count as unhandled.
  acknowledged.catch(() => undefined);
  return { acknowledged };
}

/**
 * Sends each leader its flows, side by side. A leader that cannot be reached, or does not answer, is a fault of the partitions
 * that were to get something from it. `pending` names the leaders that have not acknowledged everything yet.
 */
export async function sendToLeaders(
  brokers: Pick<Brokers, 'node'>,
  flowsByLeader: DeliveryPlan['flowsByLeader'],
  sender: FlowSender,
  pending = new Set<number>(),
): Promise<void> {
  await Promise.all(
    [...flowsByLeader].map(async ([leader, flows]) => {
      pending.add(leader);
      try {
        await sendFlows(await brokers.node(leader), flows, sender);
      } catch (thrown) {
        const fault = faultOfThrown(thrown, { step: 'send' });
        // What the leader itself says of one partition is told already.
        throw targetsOf(fault).length > 0 ? fault : nameTargets(fault, flows, sender.countOf ?? (() => undefined));
      }
      pending.delete(leader);
    }),
  );
}

/** Resolves when the leader has acknowledged every record of the flows. */
export async function sendFlows(link: BrokerLink, flows: readonly PartitionFlow[], sender: FlowSender): Promise<void> {
  try {
    await sendAll(link, flows, sender);
  } catch (thrown) {
    throw (await sender.suspects?.judge(link, flows, thrown)) ?? thrown;
  }
}

async function sendAll(link: BrokerLink, flows: readonly PartitionFlow[], sender: FlowSender): Promise<void> {
  const underWay: SentRequest[] = [];
  let waiting = flows;
  // Each round takes at least one record of the first waiting flow, which bounds the loop.
  while (waiting.length > 0) {
    underWay.push(await sendRequest(link, waiting, sender));
    // A broker that throttles reads nothing meanwhile: what waits for it would only spend its deadline.
    const underWayMax = sender.isThrottled?.(link) ? 1 : UNDER_WAY_MAX;
    while (underWay.length >= underWayMax) await underWay.shift()?.acknowledged;
    waiting = waiting.filter((flow) => flow.next < flow.records.length);
  }
  await Promise.all(underWay.map(({ acknowledged }) => acknowledged));
}
