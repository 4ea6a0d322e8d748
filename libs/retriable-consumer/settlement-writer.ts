/**
 * Writes what messages leave behind (retries, dead letters, what handlers produced) and commits the offset that passes
 * them, in one Kafka transaction, as a member of the group: a process that the group has moved on without is refused, and
 * writes nothing. Nothing here holds a partition up for good: what cannot be written is written in another way.
 */
import { randomUUID } from 'node:crypto';
import {
  type Committed,
  createGroupTransactions,
  type GroupMember,
  type GroupTransactions,
  type RoutedRecord,
  topicNote,
} from '#kafka-delivery';
import { asRelayError, backoffMs, RelayError } from '#runtime';
import type { ConsumerSettings } from './consumer-options.ts';
import { isGroupLost, membershipLost } from './membership.ts';
import type { PendingGroup, PendingRecord } from './message.ts';
import type { Settlement } from './partition-ledger.ts';
import { RECORD_BYTES_MIN, replacementOf, routedBytes, routeGroup, routeRecord } from './route-records.ts';

export interface SettlementWrite extends Settlement {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string | null;
  readonly member: GroupMember;
}

type WrittenPlace = Pick<SettlementWrite, 'topic' | 'partition' | 'topicId'>;

type WriterSettings = Pick<
  ConsumerSettings,
  'brokers' | 'ssl' | 'sasl' | 'clientId' | 'groupId' | 'recordBytesMax' | 'transactionTimeoutMs'
> &
  Pick<ConsumerSettings, 'logger' | 'clock' | 'random'>;

const BACKOFF = { baseMs: 200, maxMs: 10_000 };
/** Brokers close the connection when a request is larger than 100 MiB (socket.request.max.bytes). */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;
const TOO_LARGE: readonly unknown[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/** What one write has learned from its attempts. */
interface WriteState {
  outcomeUnknown: boolean;
  /** Since when every attempt has found that the topic of the messages is missing. */
  missingSinceMs: number | null;
}

/** Brokers that have just started may all not know a topic yet. For so long it has to be missing to count as deleted. */
const GONE_AFTER_MS = 5_000;
const GONE_RETRY_MS = 500;

const isSourceMissing = ({ code, details }: RelayError, topic: string): boolean =>
  code === 'KAFKA_TOPIC_MISSING' && details.step === 'markers' && details.topic === topic;

export class SettlementWriter {
  readonly #settings: WriterSettings;
  readonly #transactions: GroupTransactions;
  /** What a chunk for a topic may take, once it has refused the usual, and the smallest record that it has refused. */
  readonly #limits = new Map<string, number>();
  readonly #refusedBytes = new Map<string, number>();
  /** What is written instead of a group that a broker has refused. */
  readonly #replaced = new WeakMap<PendingGroup, PendingGroup>();
  #turn: Promise<unknown> = Promise.resolve();
  #spread = 0;

  constructor(settings: WriterSettings) {
    this.#settings = settings;
    const { brokers, ssl, sasl, clientId, groupId, transactionTimeoutMs, logger, clock, random } = settings;
    this.#transactions = createGroupTransactions({
      brokers,
      clientId,
      logger,
      transactionTimeoutMs,
      clock,
      random,
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
      transactionalId: `${groupId}.consumer.${randomUUID()}`,
    });
  }

  /**
   * Resolves with `written` when the transaction is committed; tries until then. `narrow`: a record among many was refused;
   * give its group alone. Rejects as a lost membership when the group has moved on; nothing is written then. Rejects with
   * STOPPED when the signal is aborted between two tries: the last try may be committed after all, which `reached` tells.
   */
  async write(write: SettlementWrite, signal: AbortSignal): Promise<'written' | 'narrow'> {
    return await this.#inTurn(() => this.#writeUntilDone(write, signal));
  }

  /** Up to where everything is written, once no transaction of ours can change it any more; null when nothing is. */
  async reached(place: WrittenPlace): Promise<bigint | null> {
    return await this.#inTurn(() => this.#reached(place));
  }

  /** Rejects with the row fault of a record that its topic cannot take. A world fault passes: it is met again when writing. */
  async check(records: readonly PendingRecord[]): Promise<void> {
    for (const record of records) {
      await routeRecord(record, this.#world, 0).catch((thrown) => {
        const { code } = asRelayError(thrown);
        if (code === 'KAFKA_RECORD_REFUSED' || code === 'KAFKA_TOPIC_MISSING') throw thrown;
      });
    }
  }

  /** What is committed for the partition when no transaction can change it any more. */
  async stableOffset(topic: string, partition: number): Promise<Committed> {
    return await this.#transactions.stableOffset(this.#settings.groupId, topic, partition);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#transactions.close();
  }

  readonly #world = {
    limitOf: (topic: string, mayBeSplit: boolean) => {
      const { recordBytesMax } = this.#settings;
      if (mayBeSplit) return this.#limits.get(topic) ?? recordBytesMax;
      // Whole or not at all: what a topic takes only its broker knows.
      return Math.min(WHOLE_BYTES_MAX, (this.#refusedBytes.get(topic) ?? Number.POSITIVE_INFINITY) - 1);
    },
    partitionsOf: (topic: string) => this.#transactions.partitionsOf(topic),
  };

  /** One at a time: whoever opens the producer anew ends the transaction of whoever has it. */
  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async #writeUntilDone(write: SettlementWrite, signal: AbortSignal): Promise<'written' | 'narrow'> {
    const { clock, random } = this.#settings;
    const state: WriteState = { outcomeUnknown: false, missingSinceMs: null };
    for (let attempt = 1; ; attempt += 1) {
      const isMissing = state.missingSinceMs !== null;
      if (signal.aborted && attempt > 1 && !isMissing) {
        throw new RelayError('STOPPED', 'stopped before the transaction was written');
      }
      const outcome = await this.#tryOnce(write, state, attempt);
      if (outcome !== 'again') return outcome;
      // What the last messages of a deleted topic leave behind is written even if the consumer stops meanwhile.
      if (state.missingSinceMs === null) await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
      else await clock.sleep(GONE_RETRY_MS);
    }
  }

  async #tryOnce(write: SettlementWrite, state: WriteState, attempt: number): Promise<'written' | 'narrow' | 'again'> {
    const { topic, partition } = write;
    let sent: readonly RoutedRecord[] = [];
    try {
      if (state.outcomeUnknown && (await this.#isCommitted(write))) return 'written';
      state.outcomeUnknown = false;
      sent = await this.#route(write.groups);
      state.outcomeUnknown = true;
      // There is no offset to commit, and nobody reads the messages again.
      if (this.#isGone(state)) await this.#transactions.transact(sent, null);
      else await this.#transact(write, sent);
      return 'written';
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (isGroupLost(error)) throw membershipLost(error);
      const facts = { err: error, topic, partition, attempt };
      this.#settings.logger.warn(facts, 'a transaction of the consumer failed, tried again');
      const isMissing = isSourceMissing(error, topic) && (await this.#transactions.isGone(topic).catch(() => false));
      state.missingSinceMs = isMissing ? (state.missingSinceMs ?? this.#settings.clock.nowMs()) : null;
      if (error.code === 'KAFKA_RECORD_REFUSED' && this.#isUnwritable(write, sent, error)) {
        if (write.groups.length > 1) return 'narrow';
      }
      return 'again';
    }
  }

  #isGone({ missingSinceMs }: WriteState): boolean {
    return missingSinceMs !== null && this.#settings.clock.nowMs() - missingSinceMs >= GONE_AFTER_MS;
  }

  /** False when smaller records may help; true when it is one of the groups, which is replaced if it is the only one. */
  #isUnwritable({ groups }: SettlementWrite, sent: readonly RoutedRecord[], error: RelayError): boolean {
    const { topic, type, records, partition } = error.details;
    // The topic has fewer partitions than we knew of: another one is picked next time, unless a handler has named this one.
    const isNamed = groups.some((group) =>
      group.records.some((each) => each.topic === topic && each.partition === partition),
    );
    if (type === 'NO_SUCH_PARTITION' && !isNamed) return false;
    // Several together were too large, which the producer has made a note of.
    if (TOO_LARGE.includes(type) && typeof records === 'number' && records > 1) return false;
    if (typeof topic === 'string' && TOO_LARGE.includes(type)) {
      const limit = this.#world.limitOf(topic, true);
      const largest = Math.max(0, ...sent.filter((each) => each.topic === topic).map(routedBytes));
      this.#refusedBytes.set(topic, Math.min(largest, this.#refusedBytes.get(topic) ?? largest));
      if (limit > RECORD_BYTES_MIN) {
        const lowered = Math.max(RECORD_BYTES_MIN, Math.floor(Math.min(limit, largest) / 2));
        this.#limits.set(topic, lowered);
        this.#settings.logger.warn({ topic, recordBytesMax: lowered }, 'the topic refuses records of this size');
        return false;
      }
    }
    const [group, ...others] = groups;
    if (group === undefined || others.length > 0) return true;
    this.#replaced.set(group, replacementOf(this.#replaced.get(group) ?? group, error));
    return true;
  }

  async #route(groups: readonly PendingGroup[]): Promise<readonly RoutedRecord[]> {
    const routed: RoutedRecord[] = [];
    for (const group of groups) {
      this.#spread = (this.#spread + 1) % Number.MAX_SAFE_INTEGER;
      routed.push(...(await routeGroup(this.#replaced.get(group) ?? group, this.#world, this.#spread)));
    }
    return routed;
  }

  async #transact({ topic, partition, topicId, next, member }: SettlementWrite, sent: readonly RoutedRecord[]) {
    const offsets = [{ partition, offset: Number(next) }];
    await this.#transactions.transact(sent, {
      group: this.#settings.groupId,
      member,
      topics: [{ topic, offsets }],
      note: topicNote(topicId),
    });
  }

  async #isCommitted(write: SettlementWrite): Promise<boolean> {
    const reached = await this.#reached(write);
    return reached !== null && reached >= write.next;
  }

  /** Opening the producer anew ends what is open, so that the offset then tells whether the transaction was committed. */
  async #reached({ topic, partition, topicId }: WrittenPlace): Promise<bigint | null> {
    await this.#transactions.open();
    const { offset, metadata } = await this.stableOffset(topic, partition);
    return offset >= 0 && metadata === topicNote(topicId) ? BigInt(offset) : null;
  }
}
