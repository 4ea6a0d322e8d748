/** A batch from its first heartbeat to its last commit: beats while handlers run, settles as it goes, drains when told to. */
import { asRelayError } from '#runtime';
import type { FailureWriter } from './failure-writer.ts';
import { isMembershipLost } from './membership.ts';
import type { PartitionState } from './partition-state.ts';
import { arrangeReturn, type BatchRun, readBatch } from './run-batch.ts';

export type Commit = (topic: string, partition: number, next: bigint) => Promise<void>;

export interface SettleTools {
  readonly writer: FailureWriter;
  readonly commit: Commit;
  /** Rejects when the membership is lost. */
  readonly prove: () => Promise<void>;
  readonly signal: AbortSignal;
}

async function settleOnce(state: PartitionState, { writer, commit, prove, signal }: SettleTools): Promise<void> {
  const { topic, partition, ledger } = state;
  const settlement = ledger.settlement();
  if (settlement === null) return;
  if (settlement.failures.length === 0) await commit(topic, partition, settlement.next);
  else await writer.write({ topic, partition, ...settlement }, signal, prove);
  state.committedByTransaction = settlement.failures.length > 0;
  ledger.committedTo(settlement.next);
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
  readonly tools: SettleTools;
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
  const { clock, heartbeatIntervalMs } = run.world.settings;
  while (!ended.aborted) {
    await clock.sleep(heartbeatIntervalMs, ended);
    if (ended.aborted) return;
    // Also while draining: the coordinator keeps a member that beats until the rebalance times out.
    await run.payload.heartbeat().catch((thrown) => note(drain, thrown, 'heartbeat failed'));
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

async function finalSettle(drain: Drain): Promise<void> {
  const { run, tools, closing } = drain;
  const { state } = run;
  await settle(state, tools).catch((thrown) => note(drain, thrown, 'commit failed'));
  if (!closing.signal.aborted || !state.committedByTransaction) return;
  // The next owner may read the offset before the broker has marked the transaction's end in it: a plain commit of the same
  // offset counts at once.
  const { topic, partition, ledger } = state;
  await tools.commit(topic, partition, ledger.committed).catch((thrown) => note(drain, thrown, 'commit failed'));
}

/** Resolves when nothing of the batch runs any more. Rejects with what ended the membership, for kafkajs to join anew. */
export async function drainBatch(
  run: BatchRun,
  control: { readonly closing: AbortController; readonly abandoned: AbortController },
  tools: SettleTools,
): Promise<void> {
  const drain: Drain = { run, ...control, tools, lost: null };
  const ended = new AbortController();
  const beating = beatUntil(drain, ended.signal);
  try {
    await readBatch(run);
    await waitForHandlers(drain);
    await finalSettle(drain);
  } finally {
    ended.abort();
    await beating;
  }
  if (!control.closing.signal.aborted) arrangeReturn(run);
  if (drain.lost !== null) throw drain.lost.error;
}
