/** The consumer: joins the group, hands batches to the pool, keeps time for what waits, and ends in order. */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { createJoiner } from '#chunking';
import { type ConsumedTopics, type GroupMember, mendConsumer, openKafkajs } from '#kafka-delivery';
import { createProgressHealth, type ProgressHealth } from '#observability';
import { asRelayError, RelayError } from '#runtime';
import { closeInOrder } from './close-in-order.ts';
import { commitWhile } from './commit-offsets.ts';
import { ConsumerEnd, complainer } from './consumer-end.ts';
import type { RetriableConsumer } from './consumer-handle.ts';
import { type ConsumerOptions, type ConsumerSettings, settingsFrom } from './consumer-options.ts';
import { drainBatch } from './drain-batch.ts';
import { HandlerPool } from './handler-pool.ts';
import { type House, keepHouse } from './housekeeping.ts';
import { listTopics } from './list-topics.ts';
import { isMembershipLost } from './membership.ts';
import type { SourceRecord } from './message.ts';
import { openConsumer } from './open-consumer.ts';
import { type Generation, PartitionState } from './partition-state.ts';
import { PartitionWatch } from './partition-watch.ts';
import { type BatchRun, type BatchWorld, topicIdOf } from './run-batch.ts';
import type { MessageWorld } from './run-message.ts';
import { SettlementWriter } from './settlement-writer.ts';
import { type ResolvedTopics, resolveTopics } from './topic-rules.ts';
import { TopicWatch } from './topic-watch.ts';
import { Wakers } from './wakers.ts';
import { createWorkerPool } from './worker-pool.ts';

/** Before a batch is read again that has failed as a whole. */
const STEP_BACK_MS = 1_000;
/** Batches handled side by side; handlers are bounded by `concurrency` over all of them. */
const PARTITIONS_AT_ONCE = 256;

/** Throws CONFIG_INVALID; connects to nothing before `start`. */
export function createRetriableConsumer(options: ConsumerOptions): RetriableConsumer {
  const settings = settingsFrom(options);
  if (settings.worker === undefined) return new KafkajsRetriableConsumer(settings, async () => undefined);
  const workers = createWorkerPool(settings.worker, settings.concurrency);
  return new KafkajsRetriableConsumer({ ...settings, handler: workers.handler }, () => workers.close());
}

class KafkajsRetriableConsumer implements RetriableConsumer {
  readonly #settings: ConsumerSettings;
  readonly #closeWorkers: () => Promise<void>;
  readonly #kafka: Kafka;
  readonly #consumer: Consumer;
  readonly #consumed: ConsumedTopics;
  readonly #watch: TopicWatch;
  readonly #end: ConsumerEnd;
  readonly #places: PartitionWatch;
  readonly #writer: SettlementWriter;
  readonly #pool: HandlerPool;
  readonly #wakers: Wakers;
  readonly #health: ProgressHealth;
  readonly #stopping = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  #topics: ResolvedTopics = { ruleOf: new Map(), missingRetryTopics: [] };
  #member: GroupMember = { memberId: '', generationId: -1 };
  #generation: Generation;
  #ticking: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(settings: ConsumerSettings, closeWorkers: () => Promise<void>) {
    const { clock } = settings;
    this.#closeWorkers = closeWorkers;
    this.#settings = settings;
    this.#kafka = openKafkajs(settings);
    this.#consumed = mendConsumer(this.#kafka, {
      onJoined: (member) => {
        this.#member = member;
      },
      onMadeAnew: (facts) => this.#watch.madeAnew(facts),
      onNoOffset: (topic, partition) => this.#watch.noOffset(topic, partition, settings.fromBeginning),
      onOutOfRange: (topic, partition, start) => this.#beginAt(topic, partition, start),
      onUnreadable: (topic, partition, fault) => this.#places.unreadable(topic, partition, fault),
      onRead: (read) => this.#places.read(read),
    });
    this.#consumer = openConsumer(this.#kafka, settings, () => this.#isStopping);
    this.#writer = new SettlementWriter(settings);
    this.#pool = new HandlerPool(settings.concurrency);
    this.#health = createProgressHealth({ clock, stallMs: settings.stallMs });
    this.#watch = new TopicWatch(settings.logger, this.#health);
    const watched = { ...settings, health: this.#health };
    this.#end = new ConsumerEnd({ ...watched, isStopping: () => this.#isStopping });
    this.#places = new PartitionWatch({ ...watched, complain: complainer(settings.logger) });
    this.#wakers = new Wakers(clock, {
      pause: (topic, partition) => this.#consumer.pause([{ topic, partitions: [partition] }]),
      resume: (topic, partition, offset) => this.#resume(topic, partition, offset),
    });
    this.#generation = this.#newGeneration();
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async start(): Promise<void> {
    const { topics, fromBeginning, logger } = this.#settings;
    this.#topics = resolveTopics(topics, await listTopics(this.#settings));
    for (const topic of this.#topics.missingRetryTopics) {
      logger.error({ topic }, 'the retry topic does not exist: failed messages go to the dead letters');
    }
    this.#end.watch(this.#consumer);
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#beginGeneration();
      this.#places.assigned(payload.memberAssignment);
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...this.#topics.ruleOf.keys()], fromBeginning });
    this.#ticking = keepHouse(this.#house(), this.#stopping.signal);
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.#onBatch(payload),
    });
    const { fault } = this.#end;
    if (fault === null) return;
    await this.stop();
    throw fault;
  }

  ended(): Promise<RelayError | null> {
    return this.#end.ended;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  health(): ReturnType<ProgressHealth['health']> {
    return this.#health.health();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    // Before the consumer is told: it commits nothing any more once it is stopping.
    while (this.#batches.size > 0) await Promise.allSettled(this.#batches);
    await this.#ticking;
    this.#wakers.clear();
    await closeInOrder(this.#settings.logger, {
      'leaving the group': () => this.#consumer.disconnect(),
      'closing the producer': () => this.#writer.close(),
      'ending the worker threads': () => this.#closeWorkers(),
    });
    this.#end.stopped();
  }

  #house(): House {
    return {
      consumer: this.#consumer,
      consumed: this.#consumed,
      topics: this.#watch,
      places: this.#places,
      end: this.#end,
      health: this.#health,
      writer: this.#writer,
      wakers: this.#wakers,
      messages: () => this.#messageWorld(),
      generation: () => this.#generation,
      track: (work) => this.#track(work),
    };
  }

  #newGeneration(): Generation {
    const { clock, chunkWaitMs, chunkBytesMax } = this.#settings;
    const joiner = createJoiner<SourceRecord>({ clock, waitMs: chunkWaitMs, heldBytesMax: chunkBytesMax });
    return { member: this.#member, joiner, partitions: new Map(), positioned: new Set() };
  }

  /** Everything is read again from the committed offsets: kafkajs does so after each round of the group. */
  #beginGeneration(): void {
    for (const { name, topic, partition } of this.#generation.partitions.values()) {
      this.#health.forget(name);
      this.#health.forget(`committing ${name}`);
      this.#settings.metrics?.released(topic, partition);
    }
    this.#generation = this.#newGeneration();
    this.#wakers.clear();
  }

  #resume(topic: string, partition: number, offset: bigint | null): void {
    if (this.#isStopping) return;
    if (offset !== null) this.#consumer.seek({ topic, partition, offset: String(offset) });
    this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  #stateOf(generation: Generation, { batch }: EachBatchPayload, topicId: string | null): PartitionState {
    const { topic, partition } = batch;
    const name = `${topic}/${partition}`;
    const known = generation.partitions.get(name);
    if (known !== undefined) return known;
    const rule = this.#topics.ruleOf.get(topic);
    if (rule === undefined) throw new RelayError('INVARIANT_BROKEN', `a batch of ${topic}, which is not subscribed to`);
    const state = new PartitionState(
      { topic, partition, topicId },
      rule,
      BigInt(batch.messages[0]?.offset ?? batch.lastOffset()),
    );
    generation.partitions.set(name, state);
    return state;
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    // Unresolved, the batch is nobody's: whoever comes next reads it.
    if (this.#isStopping || payload.isStale()) return;
    const topicId = topicIdOf(payload);
    const { topic, partition } = payload.batch;
    // Read before the last round of the group, of a topic that is another one by now.
    if (topicId !== (this.#consumed.topicIdOf(topic, partition) ?? null)) return;
    const work = this.#runBatch(payload, topicId);
    this.#track(work);
    await work;
  }

  async #runBatch(payload: EachBatchPayload, topicId: string | null): Promise<void> {
    const generation = this.#generation;
    const state = this.#stateOf(generation, payload, topicId);
    const settings = this.#settings;
    const closing = new AbortController();
    const abandoned = new AbortController();
    const close = () => closing.abort();
    this.#stopping.signal.addEventListener('abort', close, { once: true });
    const world: BatchWorld = { ...this.#messageWorld(), pool: this.#pool, wakers: this.#wakers };
    const parts = { running: new Set<Promise<void>>(), tails: new Map<string, Promise<void>>() };
    const signals = { closing: closing.signal, abandoned: abandoned.signal };
    const run: BatchRun = { world, generation, state, payload, ...signals, ...parts };
    const commit = commitWhile(
      () => generation === this.#generation,
      ({ topic, ...each }) => payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [each] }] }),
    );
    const { member } = generation;
    const tools = { writer: this.#writer, topics: this.#consumed, commit, member, signal: closing.signal };
    state.active = true;
    state.batches += 1;
    this.#health.working(state.name);
    try {
      const seekTo = await drainBatch(run, { closing, abandoned }, tools);
      if (seekTo !== null) this.#readFrom(generation, state.topic, state.partition, seekTo);
      this.#health.idle(state.name);
    } catch (thrown) {
      if (isMembershipLost(thrown)) throw thrown;
      this.#stepBack(state, thrown);
    } finally {
      this.#stopping.signal.removeEventListener('abort', close);
      state.active = false;
      settings.metrics?.lag(state.topic, state.partition, Number(payload.batch.offsetLag()));
    }
  }

  #messageWorld(): MessageWorld {
    return {
      settings: this.#settings,
      missingRetryTopics: this.#topics.missingRetryTopics,
      onFinished: ({ name }) => this.#health.progressed(name),
      checkOutputs: (records) => this.#writer.check(records),
    };
  }

  /** An earlier owner came further than kafkajs was told. */
  #readFrom(generation: Generation, topic: string, partition: number, offset: bigint): void {
    generation.partitions.delete(`${topic}/${partition}`);
    this.#resume(topic, partition, offset);
  }

  /** Retention has deleted what lay at the position. */
  #beginAt(topic: string, partition: number, start: number): void {
    this.#settings.logger.warn(
      { topic, partition, start },
      'the position is not in the log: reading on from its start',
    );
    this.#readFrom(this.#generation, topic, partition, BigInt(start));
  }

  /**
   * A fault in the middle of a batch: what was read and not handled is read again, after a while. It stays unhealthy until a batch
   * comes through. The other partitions go on, which they would not if kafkajs heard of it.
   */
  #stepBack({ topic, partition, ledger }: PartitionState, thrown: unknown): void {
    const { logger, clock } = this.#settings;
    logger.error({ err: asRelayError(thrown), topic, partition }, 'the batch failed; it is read again');
    if (this.#isStopping) return;
    const dueMs = clock.wallMs() + STEP_BACK_MS;
    this.#wakers.set(topic, partition, { dueMs, offset: ledger.committed, paused: true });
  }

  #track(work: Promise<void>): void {
    this.#batches.add(work);
    void work.finally(() => this.#batches.delete(work)).catch(() => undefined);
  }
}
