/** Sends the flows of one leader, request after request, and checks that every batch sent is in the answer. */
import { RelayError } from '#runtime';
import type { BatchBounds } from './batch-bounds.ts';
import type { BrokerLink } from './broker-link.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { isTransactional, type KafkaSettings } from './kafka-options.ts';
import type { Sequences } from './sequences.ts';
import { type PartitionFlow, type ProducedPartition, produce, type SentBatch } from './wire/produce-request.ts';
import type { BatchContext } from './wire/record-batch.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

export interface FlowSender {
  readonly settings: KafkaSettings;
  readonly bounds: BatchBounds;
  readonly sequences: Sequences;
  /** Null for a plain producer. */
  readonly identity: ProducerIdentity | null;
}

/**
 * Throws the fault of the first batch refused, or KAFKA_OUTCOME_UNKNOWN when a batch is missing from the answer: what
 * the broker did not acknowledge by name was not acknowledged (kafkajs pull request 1798 is about losing such a one).
 */
export function checkProduced(
  sent: readonly SentBatch[],
  answered: readonly ProducedPartition[],
  bounds: BatchBounds,
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
    throw faultOfCode(answer.code, { step: 'send', topic, partition });
  }
  if (missing) {
    const { topic, partition } = missing;
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'the broker did not acknowledge every partition sent', {
      details: { step: 'send', topic, partition },
    });
  }
}

function contextFor(sender: FlowSender, flow: PartitionFlow): BatchContext {
  const { settings, identity } = sender;
  const { topic, partition } = flow;
  return {
    producerId: identity?.producerId ?? -1,
    producerEpoch: identity?.producerEpoch ?? -1,
    firstSequence: identity === null ? -1 : sender.sequences.next(topic, partition),
    transactional: identity !== null,
    timestampMs: settings.clock.wallMs(),
    compression: settings.compression,
    bytesMax: sender.bounds.of(topic),
  };
}

/** Resolves when the leader has acknowledged every record of the flows. */
export async function sendFlows(link: BrokerLink, flows: readonly PartitionFlow[], sender: FlowSender): Promise<void> {
  const { settings, identity, sequences } = sender;
  const acks = isTransactional(settings) ? -1 : settings.acks;
  let waiting = flows;
  // Each round sends at least one record of the first waiting flow, which bounds the loop.
  while (waiting.length > 0) {
    const request = produce(waiting, {
      transactionalId: identity?.transactionalId ?? null,
      acks,
      timeoutMs: settings.requestTimeoutMs,
      requestBytesMax: settings.requestBytesMax,
      contextOf: (flow) => contextFor(sender, flow),
    });
    const answered = await link.ask(request).catch((error) => {
      throw faultOfThrown(error, { step: 'send' });
    });
    if (acks !== 0) checkProduced(request.sent, answered, sender.bounds);
    for (const { topic, partition, records } of request.sent) sequences.advance(topic, partition, records);
    waiting = waiting.filter((flow) => flow.next < flow.records.length);
  }
}
