/**
 * One batch of one partition, as kafkajs hands it over. kafkajs joins a new round of the group only when its batches have
 * returned; so a batch that waits for its handlers is what makes a rebalance wait for them.
 */
import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { JoinedMessage, JoinOutcome } from '#chunking';
import type { ConsumerSettings } from './consumer-options.ts';
import type { HandlerPool } from './handler-pool.ts';
import type { ConsumedMessage, SourceRecord } from './message.ts';
import type { Generation, PartitionState } from './partition-state.ts';
import { deadSource } from './plan-failure.ts';
import { ownHeaders, readOrigin, retryStateOf } from './retry-headers.ts';
import { type MessageWorld, runMessage } from './run-message.ts';
import type { Wakers } from './wakers.ts';

export interface BatchWorld extends MessageWorld {
  readonly settings: ConsumerSettings;
  readonly pool: HandlerPool;
  readonly wakers: Wakers;
}

export interface BatchRun {
  readonly world: BatchWorld;
  readonly generation: Generation;
  readonly state: PartitionState;
  readonly payload: EachBatchPayload;
  /** Aborted: start nothing new. */
  readonly closing: AbortSignal;
  readonly abandoned: AbortSignal;
  readonly running: Set<Promise<void>>;
  /** The last of each lane. */
  readonly tails: Map<string, Promise<void>>;
}

/** Null where brokers give no ids. */
export const topicIdOf = ({ batch }: EachBatchPayload): string | null =>
  (batch.messages[0] as { readonly topicId?: string | null } | undefined)?.topicId ?? null;

function toRecord({ batch }: EachBatchPayload, message: KafkaMessage): SourceRecord {
  const { key, value, headers, offset, timestamp } = message;
  return {
    topic: batch.topic,
    partition: batch.partition,
    offset: BigInt(offset),
    key,
    value,
    headers: headers ?? {},
    timestampMs: Number(timestamp),
  };
}

function toMessage({ state }: BatchRun, joined: JoinedMessage<SourceRecord>, attempt: number): ConsumedMessage {
  const { topic, partition, timestampMs } = joined.records[0] as SourceRecord;
  const offset = joined.offsets[0] as bigint;
  const { key, value, headers } = joined;
  const here = { topic, partition, offset };
  return {
    ...here,
    key,
    value,
    headers: ownHeaders(headers),
    timestampMs,
    attempt: attempt + (state.attempts.get(offset) ?? 0),
    origin: topic === state.rule.retryTopic ? readOrigin(headers, here) : here,
  };
}

function laneOf({ ordering }: ConsumerSettings, { key }: ConsumedMessage): string | null {
  if (ordering === 'partition') return '';
  return ordering === 'none' || key === null ? null : key.toString('hex');
}

/** Whether the message has to wait behind a failed one of its lane; the failed one itself goes on when it is due. */
function isParked({ state, world }: BatchRun, lane: string | null, offset: bigint): boolean {
  const name = lane ?? `offset ${offset}`;
  const parked = state.parked.get(name);
  if (parked === undefined) return false;
  if (parked.offset !== offset || world.settings.clock.wallMs() < parked.dueMs) return true;
  state.parked.delete(name);
  return false;
}

async function handle(run: BatchRun, message: ConsumedMessage, offsets: readonly bigint[], lane: string | null) {
  const { world, state, closing, abandoned } = run;
  if (closing.aborted || isParked(run, lane, message.offset)) return;
  if (!(await world.pool.acquire(closing))) return;
  try {
    await runMessage(world, { state, message, offsets, lane, abandoned });
  } finally {
    world.pool.release();
  }
}

/** In `none` the batch waits here for a free place, in a lane the lane's tail waits. */
async function begin(run: BatchRun, joined: JoinedMessage<SourceRecord>, attempt: number): Promise<void> {
  const { world, running, tails, state, closing, abandoned } = run;
  const message = toMessage(run, joined, attempt);
  const lane = laneOf(world.settings, message);
  let work: Promise<void>;
  if (lane !== null) {
    work = (tails.get(lane) ?? Promise.resolve()).then(() => handle(run, message, joined.offsets, lane));
    tails.set(lane, work);
  } else {
    if (isParked(run, null, message.offset) || !(await world.pool.acquire(closing))) return;
    work = runMessage(world, { state, message, offsets: joined.offsets, lane, abandoned }).finally(() =>
      world.pool.release(),
    );
  }
  running.add(work);
  void work.finally(() => running.delete(work)).catch(() => undefined);
}

/** Records that make no message go to the dead letters as they are. */
export function buryOutcome(
  world: MessageWorld,
  state: PartitionState,
  outcome: Extract<JoinOutcome<SourceRecord>, { readonly kind: 'dead' }>,
): void {
  const { settings } = world;
  const about = { groupId: settings.groupId, wallMs: settings.clock.wallMs() };
  const records = outcome.records.map((record) => deadSource(record, state.rule, outcome.reason, about));
  state.ledger.finish(outcome.offsets, [{ records, bury: null }]);
  settings.metrics?.deadLettered(state.topic, outcome.reason);
  const { topic, partition } = state;
  const facts = { topic, partition, reason: outcome.reason, records: outcome.records.length };
  settings.logger.error(facts, 'records that make no message go to the dead letters');
}

async function take(run: BatchRun, record: SourceRecord, attempt: number): Promise<void> {
  const { generation, world } = run;
  for (const outcome of generation.joiner.accept(record)) {
    if (outcome.kind === 'message') await begin(run, outcome.message, attempt);
    else if (outcome.kind === 'duplicate') run.state.ledger.finish([record.offset]);
    else if (outcome.kind === 'dead') {
      // Room is made across partitions: the group that had to go may be another one's.
      const { topic, partition } = outcome.records[0] ?? record;
      const owner = generation.partitions.get(`${topic}/${partition}`);
      if (owner !== undefined) buryOutcome(world, owner, outcome);
    }
  }
}

/** Times `windowMax`: so much is read behind the first chunk of a message that is not whole. */
const CHUNK_WINDOWS_MAX = 10;

/** Nothing is committed past a chunk that waits: what was read since is remembered, which must end somewhere. */
function giveUpChunks({ generation, state, world }: BatchRun): void {
  const outcome = generation.joiner.giveUpOldest(state.topic, state.partition);
  if (outcome?.kind === 'dead') buryOutcome(world, state, outcome);
}

/** Records that wait to be written, of one partition. */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;

const isFull = ({ ledger }: PartitionState): boolean => ledger.pendingBytes > PENDING_BYTES_MAX;

type Step = 'next' | 'stop';

async function step(run: BatchRun, record: SourceRecord): Promise<Step> {
  const { world, state, payload } = run;
  const { topic, partition, ledger } = state;
  if (ledger.isFinished(record.offset)) {
    payload.resolveOffset(String(record.offset));
    return 'next';
  }
  const retry = retryStateOf(record, state.rule, world.settings.clock.wallMs());
  if (retry === null) {
    const outcome = { kind: 'dead', reason: 'malformed-header', records: [record], offsets: [record.offset] } as const;
    buryOutcome(world, state, outcome);
  } else if (retry.dueMs > world.settings.clock.wallMs()) {
    world.wakers.set(topic, partition, { dueMs: retry.dueMs, offset: null, paused: true });
    return 'stop';
  } else {
    ledger.open(record.offset);
    if (ledger.size > world.settings.windowMax * CHUNK_WINDOWS_MAX) giveUpChunks(run);
    await take(run, record, retry.attempt);
    if (run.closing.aborted) return 'stop';
  }
  payload.resolveOffset(String(record.offset));
  return 'next';
}

/** Reads the batch and starts its messages; the caller waits for `running`. */
export async function readBatch(run: BatchRun): Promise<void> {
  const { payload, state, closing, world } = run;
  for (const message of payload.batch.messages) {
    if (closing.aborted || payload.isStale() || !payload.isRunning()) return;
    if (world.settings.ordering === 'partition' && state.parked.size > 0 && run.running.size === 0) {
      // Everything waits behind one message: what is left of the batch is read again with it.
      const parked = state.earliestParked();
      if (parked !== null && BigInt(message.offset) > parked.offset) return;
    }
    // What waits to be written is written first. What is read again may be what all of it waits for.
    if (isFull(state) && state.ledger.isNew(BigInt(message.offset))) return;
    if ((await step(run, toRecord(payload, message))) === 'stop') return;
  }
  // Behind the last message may be the marker of a transaction, which nobody sees.
  state.ledger.seen(BigInt(payload.batch.lastOffset()) + 1n);
}

/** After the batch: when something waits in place, come back for it. */
export function arrangeReturn({ state, world }: Pick<BatchRun, 'state' | 'world'>): void {
  const parked = state.earliestParked();
  if (parked === null) return;
  const { ordering, windowMax } = world.settings;
  const paused = ordering === 'partition' || state.ledger.size > windowMax || isFull(state);
  if (world.wakers.isPaused(state.topic, state.partition)) return;
  world.wakers.set(state.topic, state.partition, { dueMs: parked.dueMs, offset: parked.offset, paused });
}
