/** What no batch does, every second: chunks that waited too long, commits of partitions where nothing comes, what stands. */
import type { Consumer } from 'kafkajs';
import type { ConsumedTopics } from '#kafka-delivery';
import type { ProgressHealth } from '#observability';
import { asRelayError } from '#runtime';
import { commitWhile } from './commit-offsets.ts';
import type { ConsumerEnd } from './consumer-end.ts';
import { type SettleTools, settle } from './drain-batch.ts';
import { expireChunks } from './expire-chunks.ts';
import type { Generation, PartitionState } from './partition-state.ts';
import type { PartitionWatch } from './partition-watch.ts';
import type { MessageWorld } from './run-message.ts';
import type { SettlementWriter } from './settlement-writer.ts';
import type { TopicWatch } from './topic-watch.ts';
import type { Wakers } from './wakers.ts';

export interface House {
  readonly consumer: Consumer;
  readonly consumed: ConsumedTopics;
  readonly topics: TopicWatch;
  readonly places: PartitionWatch;
  readonly end: ConsumerEnd;
  readonly health: ProgressHealth;
  readonly writer: SettlementWriter;
  readonly wakers: Wakers;
  readonly messages: () => MessageWorld;
  readonly generation: () => Generation;
  /** Work that is waited for when the consumer stops. */
  readonly track: (work: Promise<void>) => void;
}

const TICK_MS = 1_000;

/** Null while commits come through. */
function whyUncommitted(state: PartitionState, nowMs: number, stallMs: number): string | null {
  const { ledger, lastCommit } = state;
  if (ledger.settlement() === null || ledger.committed !== lastCommit.offset) {
    state.lastCommit = { offset: ledger.committed, sinceMs: nowMs };
    return null;
  }
  const waitedMs = nowMs - lastCommit.sinceMs;
  if (waitedMs < stallMs) return null;
  const what = `what was handled from offset ${ledger.committed} on cannot be committed, or its retries and dead letters not be written`;
  return `${what}, for ${Math.floor(waitedMs / 1_000)} s: the log says why`;
}

/** One at a time for a partition: a commit that hangs keeps no other one, and not this loop, waiting. */
function settleIdle(house: House, state: PartitionState, tools: SettleTools): void {
  if (state.active || state.isSettling || tools.signal.aborted) return;
  state.isSettling = true;
  const { logger } = house.messages().settings;
  const settled = settle(state, tools)
    .catch((thrown) => {
      logger.debug({ err: asRelayError(thrown), topic: state.topic }, 'commit failed, tried again soon');
    })
    .finally(() => {
      state.isSettling = false;
    });
  house.track(settled);
}

function keepOnce(house: House, signal: AbortSignal): void {
  const { consumer, writer, wakers, health, places } = house;
  const messages = house.messages();
  const { clock, stallMs, metrics } = messages.settings;
  const generation = house.generation();
  const { joiner, partitions, member } = generation;
  const commit = commitWhile(
    () => generation === house.generation(),
    (offset) => consumer.commitOffsets([offset]),
  );
  expireChunks(messages, generation, wakers);
  metrics?.held(wakers.pausedCount, joiner.heldBytes);
  for (const state of partitions.values()) {
    settleIdle(house, state, { writer, commit, member, signal });
    // What lies before is asked for no more: the joiner may forget the groups that it has joined there.
    joiner.committable(state.topic, state.partition, state.ledger.committed);
    const subject = `committing ${state.name}`;
    const why = whyUncommitted(state, clock.nowMs(), stallMs);
    if (why === null) health.forget(subject);
    else health.stuck(subject, why);
  }
  const isActive = (name: string) => partitions.get(name)?.active === true;
  places.check((topic, partition) => isActive(`${topic}/${partition}`) || wakers.isPaused(topic, partition));
}

/** Resolves when the signal is aborted. Never rejects. */
export async function keepHouse(house: House, signal: AbortSignal): Promise<void> {
  const { clock, metrics, logger, topics } = house.messages().settings;
  const deadLetterTopics = topics.map(({ deadLetterTopic }) => deadLetterTopic);
  while (!signal.aborted) {
    await clock.sleep(TICK_MS, signal);
    if (signal.aborted) return;
    // Of a consumer that has ended only its health is left.
    if (house.end.fault === null) {
      await house.topics.check(house.consumed, deadLetterTopics);
      try {
        keepOnce(house, signal);
      } catch (thrown) {
        logger.error({ err: asRelayError(thrown) }, 'what no batch does failed, and is tried again');
      }
    }
    metrics?.health(house.health.health().healthy, house.places.standing);
  }
}
