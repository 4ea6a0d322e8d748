/** One attempt at one message: the handler, and what its failure leads to. */
import { ownRecord } from '#chunking';
import { describeThrown, RelayError } from '#runtime';
import type { ConsumerSettings } from './consumer-options.ts';
import type { ConsumedMessage, PendingGroup, PendingRecord, ProducedRecord } from './message.ts';
import type { PartitionState } from './partition-state.ts';
import { deadRecord, type FailedAttempt, judgeFailure, outputGroup, retryGroup } from './plan-failure.ts';

export interface MessageRun {
  readonly state: PartitionState;
  readonly message: ConsumedMessage;
  readonly offsets: readonly bigint[];
  /** The key or the partition in whose order the message stands; null when it stands alone. */
  readonly lane: string | null;
  /** Aborted when nobody waits for the handler any more: its outcome does not count then. */
  readonly abandoned: AbortSignal;
}

export interface MessageWorld {
  readonly settings: ConsumerSettings;
  readonly missingRetryTopics: readonly string[];
  readonly onFinished: (state: PartitionState) => void;
  /** Rejects when a record cannot be written. */
  readonly checkOutputs: (records: readonly PendingRecord[]) => Promise<void>;
}

type Outcome = { readonly pending: readonly PendingGroup[] } | { readonly error: unknown };

/** What the handler produced, as one group; nothing when it produced nothing. */
async function outputs(world: MessageWorld, run: MessageRun, produced: readonly ProducedRecord[]) {
  if (produced.length === 0) return [];
  const { groupId, splitOutputs, clock } = world.settings;
  const { offsets, state } = run;
  const message = ownRecord(run.message);
  const group = outputGroup({ message, offsets, rule: state.rule }, produced, {
    groupId,
    splitOutputs,
    wallMs: clock.wallMs(),
  });
  await world.checkOutputs(group.records);
  return [group];
}

async function attempt(world: MessageWorld, run: MessageRun): Promise<Outcome> {
  const { settings } = world;
  const { message, abandoned } = run;
  const startedMs = settings.clock.nowMs();
  const observe = (outcome: 'handled' | 'failed') =>
    settings.metrics?.handled(message.topic, outcome, (settings.clock.nowMs() - startedMs) / 1_000);
  const produced: ProducedRecord[] = [];
  let ended = false;
  const produce = (record: ProducedRecord) => {
    if (ended) throw new RelayError('INTERNAL', 'produce was called after the handler had ended: await it inside');
    produced.push(record);
  };
  try {
    await settings.handler(message, { signal: abandoned, produce });
    ended = true;
    const pending = await outputs(world, run, produced);
    observe('handled');
    return { pending };
  } catch (error) {
    ended = true;
    observe('failed');
    return { error };
  }
}

function failed(world: MessageWorld, run: MessageRun, error: unknown): void {
  const { settings } = world;
  const { state, offsets, lane } = run;
  // What is left behind waits to be written, which may take long.
  const message = ownRecord(run.message);
  const attempted: FailedAttempt = { message, offsets, error, rule: state.rule };
  const wallMs = settings.clock.wallMs();
  const retryTopicExists = !world.missingRetryTopics.includes(state.rule.retryTopic ?? '');
  const verdict = judgeFailure(attempted, settings, { wallMs, retryTopicExists });
  const { topic, partition, offset, attempt } = message;
  const { name, message: text } = describeThrown(error);
  const facts = { error: `${name}: ${text}`, topic, partition, offset: String(offset), attempt };
  if (verdict.kind === 'wait') {
    state.parked.set(lane ?? `offset ${offset}`, { offset, dueMs: verdict.dueMs });
    state.attempts.set(offset, (state.attempts.get(offset) ?? 0) + 1);
    settings.metrics?.retried(topic);
    settings.logger.warn(facts, 'attempt failed; again in place, in its order');
    return;
  }
  state.attempts.delete(offset);
  if (verdict.kind === 'retry') {
    state.ledger.finish(offsets, [retryGroup(attempted, verdict.dueMs, settings.groupId, wallMs)]);
    settings.metrics?.retried(topic);
    settings.logger.warn(facts, 'attempt failed; again by the retry topic');
    return;
  }
  const records = [deadRecord(attempted, verdict.reason, settings.groupId, wallMs)];
  state.ledger.finish(offsets, [{ records, bury: null }]);
  settings.metrics?.deadLettered(topic, verdict.reason);
  settings.logger.error({ ...facts, reason: verdict.reason }, 'message goes to the dead letters');
}

/** Never rejects: a failed attempt is an outcome, which the ledger has afterwards. */
export async function runMessage(world: MessageWorld, run: MessageRun): Promise<void> {
  const outcome = await attempt(world, run);
  if (run.abandoned.aborted) return;
  if ('error' in outcome) failed(world, run, outcome.error);
  else {
    run.state.attempts.delete(run.message.offset);
    run.state.ledger.finish(run.offsets, outcome.pending);
  }
  world.onFinished(run.state);
}
