/** A batch from its first heartbeat to its last commit: beats while handlers run, settles as it goes, drains when told to. */
import type { Committed, ConsumedTopics, GroupMember } from '#kafka-delivery';
import { asRelayError } from '#runtime';
import { isMembershipLost, movedOn } from './membership.ts';
import type { Settlement } from './partition-ledger.ts';
import type { PartitionOfTopic, PartitionState } from './partition-state.ts';
import { arrangeReturn, type BatchRun, readBatch } from './run-batch.ts';
import type { SettlementWriter } from './settlement-writer.ts';

export type Commit = (place: PartitionOfTopic, next: bigint) => Promise<void>;

export interface SettleTools {
  readonly writer: SettlementWriter;
  readonly commit: Commit;
  readonly member: GroupMember;
  readonly signal: AbortSignal;
}

export interface BatchTools extends SettleTools {
  readonly topics: Pick<ConsumedTopics, 'isStale' | 'hasBegunAnew'>;
}

/** What one transaction carries; more waits for the next. */
const TRANSACTION_LIMITS = { groupsMax: 1_000, bytesMax: 8 * 1024 * 1024 };
const NARROW_LIMITS = { groupsMax: 1, bytesMax: 1 };

/** Rejects as the writer does. The state keeps in mind when the writer gave up without knowing whether it has written. */
async function write(state: PartitionState, { writer, member, signal }: SettleTools, settlement: Settlement) {
  const { topic, partition, topicId } = state;
  try {
    return await writer.write({ topic, partition, topicId, member, ...settlement }, signal);
  } catch (thrown) {
    state.inDoubt = !isMembershipLost(thrown);
    throw thrown;
  }
}

/** What a transaction in doubt has written must not be written again. */
async function resolveDoubt(state: PartitionState, { writer }: SettleTools): Promise<void> {
  if (!state.inDoubt) return;
  const reached = await writer.reached(state);
  if (reached !== null) state.ledger.committedTo(reached);
  state.inDoubt = false;
}

async function settleOnce(state: PartitionState, tools: SettleTools): Promise<void> {
  const { ledger } = state;
  await resolveDoubt(state, tools);
  // Each round passes at least one offset, or narrows once.
  for (;;) {
    const settlement = ledger.settlement(state.narrow ? NARROW_LIMITS : TRANSACTION_LIMITS);
    if (settlement === null) {
      state.narrow = false;
      return;
    }
    if (settlement.groups.length === 0) await tools.commit(state, settlement.next);
    else if ((await write(state, tools, settlement)) === 'narrow') {
      state.narrow = true;
      continue;
    }
    ledger.committedTo(settlement.next);
  }
}

/** Commits what may be committed, with the failures that it passes. One at a time for a partition. Rejects as its tools do. */
export function settle(state: PartitionState, tools: SettleTools): Promise<void> {
  const turn = state.settling.then(() => settleOnce(state, tools));
  state.settling = turn.catch(() => undefined);
  return turn;
}

interface Drain {
  readonly run: BatchRun;
  readonly closing: AbortController;
  readonly abandoned: AbortController;
  readonly tools: BatchTools;
  /** Why the membership ended, once it has. */
  lost: { readonly error: unknown } | null;
}

/** A fault of the world is tried again at the next beat; the end of the membership ends the batch. */
function note(drain: Drain, thrown: unknown, what: string): void {
  const { state, world } = drain.run;
  if (isMembershipLost(thrown)) {
    drain.lost ??= { error: thrown };
    drain.closing.abort();
    return;
  }
  world.settings.logger.warn({ err: asRelayError(thrown), topic: state.topic, partition: state.partition }, what);
}

async function beatUntil(drain: Drain, ended: AbortSignal): Promise<void> {
  const { run, tools } = drain;
  const { clock, heartbeatIntervalMs, commitIntervalMs } = run.world.settings;
  let settledMs = clock.nowMs();
  while (!ended.aborted) {
    await clock.sleep(Math.min(commitIntervalMs, heartbeatIntervalMs), ended);
    if (ended.aborted) return;
    // Also while draining: the coordinator keeps a member that beats until the rebalance times out. kafkajs sends one only
    // when it is time.
    await run.payload.heartbeat().catch((thrown) => note(drain, thrown, 'heartbeat failed'));
    // Plain commits are not needed so often.
    if (run.state.ledger.pendingBytes === 0 && clock.nowMs() - settledMs < heartbeatIntervalMs) continue;
    settledMs = clock.nowMs();
    void settle(run.state, tools).catch((thrown) => note(drain, thrown, 'commit failed, tried again soon'));
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

async function waitForHandlers({ run, closing, abandoned }: Drain): Promise<void> {
  const { running, world, state } = run;
  const { clock, drainTimeoutMs, metrics, logger } = world.settings;
  const all = async () => {
    while (running.size > 0) await Promise.all(running);
  };
  await Promise.race([all(), aborted(closing.signal)]);
  if (running.size === 0) return;
  const waited = new AbortController();
  await Promise.race([all(), clock.sleep(drainTimeoutMs, waited.signal)]);
  waited.abort();
  if (running.size === 0) return;
  abandoned.abort();
  metrics?.overran(state.topic);
  const facts = { topic: state.topic, partition: state.partition, handlers: running.size, drainTimeoutMs };
  logger.error(facts, 'handlers overran the drain timeout: their messages stay uncommitted and come again');
}

const POSITION_RETRY_MS = 200;

/**
 * Where the group stands in the partition, once no transaction of an earlier owner can change it: kafkajs asks in a way that
 * does not wait for those. Null when the batch is closed before that is known.
 */
async function stablePosition({ run, tools, closing }: Drain): Promise<Committed | null> {
  const { state, world } = run;
  const { clock, logger } = world.settings;
  while (!closing.signal.aborted) {
    try {
      return await tools.writer.stableOffset(state.topic, state.partition);
    } catch (thrown) {
      const facts = { err: asRelayError(thrown), topic: state.topic, partition: state.partition };
      logger.warn(
        facts,
        'the offset of the group is not settled yet: an earlier owner`s transaction is open, or Kafka away',
      );
      await clock.sleep(POSITION_RETRY_MS, closing.signal);
    }
  }
  return null;
}

type Taken = 'ours' | 'closed' | { readonly seekTo: bigint };

/**
 * Once for each partition of a generation. `seekTo` when the batch begins elsewhere: before what an earlier owner has handled,
 * or, in a group that begins at the end, behind it. (Or where compaction and markers have left a hole: then it is read twice.)
 */
async function takeOver(drain: Drain): Promise<Taken> {
  const { state, payload, generation } = drain.run;
  if (generation.positioned.has(state.name)) return 'ours';
  const committed = await stablePosition(drain);
  if (committed === null) return 'closed';
  generation.positioned.add(state.name);
  const { topic, partition } = state;
  const { topics } = drain.tools;
  if (topics.isStale(topic, partition, committed)) {
    if (topics.hasBegunAnew(topic, partition)) return 'ours';
    // Committed since the round began, for another topic of that name: in a new round brokers are asked which of them is there.
    throw movedOn();
  }
  const position = BigInt(committed.offset);
  const [first] = payload.batch.messages;
  return position < 0n || first === undefined || BigInt(first.offset) === position ? 'ours' : { seekTo: position };
}

/**
 * Resolves when nothing of the batch runs any more, with the offset to read from instead if the batch was none of ours.
 * Rejects with what ended the membership, for kafkajs to join anew.
 */
export async function drainBatch(
  run: BatchRun,
  control: { readonly closing: AbortController; readonly abandoned: AbortController },
  tools: BatchTools,
): Promise<bigint | null> {
  const drain: Drain = { run, ...control, tools, lost: null };
  const ended = new AbortController();
  const beating = beatUntil(drain, ended.signal);
  let taken: Taken = 'closed';
  try {
    taken = await takeOver(drain);
    if (taken === 'ours') {
      await readBatch(run);
      await waitForHandlers(drain);
      await settle(run.state, tools).catch((thrown) => note(drain, thrown, 'commit failed'));
    }
  } finally {
    ended.abort();
    await beating;
  }
  if (drain.lost !== null) throw drain.lost.error;
  if (typeof taken === 'object') return taken.seekTo;
  if (!control.closing.signal.aborted) arrangeReturn(run);
  return null;
}
