/**
 * Asks a partition that is back what arrived in it of what former producers sent. What a broker has left open of theirs is ended
 * first: nothing of it can appear later, and what is aborted stays so.
 */
import { type Doubt, type Landed, targetOf } from '#outbox';
import { endLeftoversAt } from './end-leftovers.ts';
import { faultOfCode, faultOfThrown } from './fault-table.ts';
import { nameTargets } from './fault-targets.ts';
import { findDoubted, type LandedContext } from './find-landed.ts';
import { findPartitions } from './find-producers.ts';
import { initProducer } from './init-producer.ts';
import { senderOf } from './landed-doubts.ts';
import type { ProducerIdentity } from './wire/transaction-requests.ts';

const LEADER_NOT_AVAILABLE = 5;
const FENCE_PATIENCE_MS = 1_000;
const NOTHING: Landed = { committed: new Set(), aborted: new Set(), unknown: [] };

/** A transaction that cannot be ended before the partition is back keeps its producer from being fenced: not for us to wait for. */
const fenceAgain = ({ brokers, settings }: LandedContext, transactionalId: string): Promise<ProducerIdentity> =>
  initProducer(brokers, transactionalId, settings, FENCE_PATIENCE_MS);

/** `doubts` are of one partition. `ownOf`: the live producer of an id of ours; a stranger's id is fenced once more. */
export async function askDoubted(
  context: LandedContext,
  doubts: readonly Doubt[],
  lane: number,
  ownOf: (transactionalId: string) => ProducerIdentity | null,
): Promise<Landed | null> {
  const [first] = doubts;
  if (first === undefined) return NOTHING;
  const { topic, partition, partitions } = targetOf(first.waitsFor);
  const countOf = () => partitions ?? undefined;
  const place = (await findPartitions(context.brokers, [topic])).find((each) => each.partition === partition);
  // The topic is gone, and with it what was in it.
  if (place === undefined) return NOTHING;
  if (place.leader < 0) {
    const fault = faultOfCode(LEADER_NOT_AVAILABLE, { step: 'metadata', topic, partition });
    throw nameTargets(fault, [place], countOf);
  }
  const senders = doubts.map(({ by }) => senderOf(by));
  try {
    for (const { transactionalId } of senders) {
      const identity = ownOf(transactionalId) ?? (await fenceAgain(context, transactionalId));
      await endLeftoversAt(context, identity, [place], countOf);
    }
    const producerIds = new Set(senders.map(({ producerId }) => producerId));
    const sinceMs = Math.min(...doubts.map((doubt) => doubt.sinceMs));
    return await findDoubted(context, { place, producerIds, lane, sinceMs });
  } catch (thrown) {
    const fault = faultOfThrown(thrown, { step: 'read' });
    throw nameTargets(fault, [place], countOf);
  }
}
