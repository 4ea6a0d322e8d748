/**
 * Kafka in memory, as far as the core sees it: partitioned logs with transactions, producer epochs that fence, markers
 * inside the transaction, read_committed up to the first open transaction. For the simulation every step passes a gate
 * before and after its effect, where a test can hold it, crash it, or lose its reply after the effect.
 */
import type { DeliveryRecord, Landed, MarkerWrite } from '#outbox';
import { RelayError } from '#runtime';
import { isTooLarge } from './is-too-large.ts';
import { createFakePort, type FakeBroker, type FakeKafkaPort, type FakePortOptions } from './kafka-port.ts';
import { FakeTopics } from './kafka-topics.ts';
import { Leftovers, type Revived } from './leftovers.ts';
import {
  begun,
  type Entry,
  groupPart,
  isGroup,
  lookUp,
  lostOf,
  partitionPart,
  settledBefore,
  type Transaction,
  tear,
  topicOf,
  type Unsettled,
} from './torn-commits.ts';

interface Producer {
  epoch: number;
  transaction: Transaction | null;
}

const COMMITTED: Transaction = { ...begun(null), fate: 'committed' };

const markerName = (kind: 'lane' | 'retry', lane: number): string => `${kind}/${lane}`;

export class FakeKafka extends FakeTopics implements FakeBroker {
  readonly #producers = new Map<string, Producer>();
  readonly #markers = new Map<string, number>();
  /** True: commits settle by `settleAll` only; until then `loseUnsettled` undoes them. */
  settlesLate = false;
  #unsettled: Unsettled[] = [];
  readonly #leftovers = new Leftovers();

  /** The marker as committed, -1 when there is none: for oracles; the relay reads through its port. */
  marker(kind: 'lane' | 'retry', lane: number): number {
    return this.#markers.get(markerName(kind, lane)) ?? -1;
  }

  /** What happens to the markers of an idle group after the retention. */
  forgetMarkers(): void {
    this.#unsettled = [];
    this.#markers.clear();
  }

  /** Transactional ids with an open transaction: they stall their readers. */
  openTransactions(): readonly string[] {
    const open = [...this.#producers].filter(([, { transaction }]) => transaction !== null).map(([id]) => id);
    return [...new Set([...open, ...this.#leftovers.producers])];
  }

  /** The broker's transaction timeout: ends the open transaction and fences its producer. */
  expireTransaction(transactionalId: string): void {
    if (this.#producers.get(transactionalId)?.transaction) this.init(transactionalId);
  }

  // The broker's side of each step, without gates.

  /** InitProducerId: ends the open transaction, raises the epoch. Returns the new epoch. */
  init(transactionalId: string): number {
    this.reach();
    return this.#renew(transactionalId);
  }

  /** An empty transaction over what was left open in these topics and in the groups of markers, aborted. */
  endLeftovers(transactionalId: string, epoch: number, topics: ReadonlySet<string>): void {
    this.reach();
    this.#producerAt(transactionalId, epoch);
    this.#leftovers.abort(
      transactionalId,
      (part) => !this.away.has(part) && (isGroup(part) || topics.has(topicOf(part))),
    );
  }

  /** Of one partition; throws while it has no leader. */
  endLeftoversAt(transactionalId: string, part: string): void {
    this.reach();
    if (this.away.has(part)) throw this.noLeader(part);
    this.#leftovers.abort(transactionalId, (each) => each === part);
  }

  /** What the transaction wrote to partitions without a leader stays open there, whatever became of the rest. */
  #leaveOpen(transaction: Transaction, names: Iterable<string>): readonly Entry[] {
    const parts = [...transaction.parts].filter((part) => this.away.has(part));
    const lost = parts.map((part) =>
      lostOf(
        transaction,
        part,
        this.logs.entries(undefined, (each) => each === part),
      ),
    );
    const doubts = [...names].map((name) => {
      return { by: transaction.by, name, settled: this.#markers.get(name) ?? -1 };
    });
    if (parts.length > 0) this.#leftovers.leave({ lost, doubts, markers: [] });
    return lost.flatMap(({ entries }) => entries);
  }

  #renew(transactionalId: string): number {
    const producer = this.#producers.get(transactionalId) ?? { epoch: -1, transaction: null };
    const { transaction } = producer;
    if (transaction) {
      this.#leaveOpen(transaction, []);
      transaction.fate = 'aborted';
      this.#leftovers.abort(transactionalId, (part) => transaction.parts.has(part) && !this.away.has(part));
    }
    producer.transaction = null;
    producer.epoch += 1;
    this.#producers.set(transactionalId, producer);
    return producer.epoch;
  }

  /** Appends to the producer's open transaction; without an id, at once and for good. */
  append(transactionalId: string | null, epoch: number, records: readonly DeliveryRecord[]): void {
    this.reach();
    const transaction = transactionalId === null ? COMMITTED : this.#transactionOf(transactionalId, epoch);
    for (const record of records) {
      const partition = this.logs.partitionOf(record);
      if (this.away.has(partitionPart(record.topic, partition))) throw this.noLeader(this.partOf(record));
      if (isTooLarge(record, this.recordBytesMax) || this.refuses(record)) {
        throw new RelayError('KAFKA_RECORD_REFUSED', 'the broker refused a record', {
          details: { topic: record.topic, partition },
        });
      }
      this.logs.push(partition, record, transaction);
      transaction.parts.add(partitionPart(record.topic, partition));
    }
  }

  putMarkers(transactionalId: string, epoch: number, markers: readonly MarkerWrite[]): void {
    this.reach();
    const transaction = this.#transactionOf(transactionalId, epoch);
    for (const { kind, lane, value } of markers) {
      if (lane >= this.markerPartitions) throw this.noMarkerPartition(lane);
      const name = markerName(kind, lane);
      transaction.markers.set(name, value);
      transaction.parts.add(groupPart(name));
    }
  }

  /** Answers with the records that are in neither state, since their partitions have no leader. */
  end(transactionalId: string, epoch: number, fate: 'committed' | 'aborted'): readonly Entry[] {
    this.reach();
    const producer = this.#producerAt(transactionalId, epoch);
    const { transaction } = producer;
    if (!transaction) throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'no transaction is open');
    const left = this.#leaveOpen(transaction, fate === 'aborted' ? [] : transaction.markers.keys());
    for (const { record } of left) transaction.parts.delete(this.partOf(record));
    transaction.fate = fate;
    producer.transaction = null;
    // Its producer is done for: the next one aborts what else is open.
    if (fate === 'aborted') return left;
    const revived = this.#leftovers.revive(transactionalId, transaction);
    this.revived(transactionalId, revived);
    const before = new Map([...transaction.markers.keys()].map((name) => [name, this.#markers.get(name)]));
    if (this.settlesLate) this.#unsettled.push({ transaction, before, doubts: revived.doubts });
    for (const [name, value] of transaction.markers) this.#markers.set(name, value);
    return left;
  }

  settleAll(): void {
    this.#unsettled = [];
  }

  /** True when nothing of what was acknowledged can be lost any more, whatever was lost before. */
  get isAtRest(): boolean {
    return this.#unsettled.length === 0;
  }

  /** What was lost, and is committed after all. */
  protected revived(_by: string, _revived: Revived): void {}

  /** Event ids of all records that are committed, also behind a transaction that is still open. */
  protected committedIds(): Set<string | undefined> {
    const entries = this.logs.entries().filter(({ transaction }) => transaction.fate === 'committed');
    return new Set(entries.map(({ record }) => record.headers.id));
  }

  /**
   * What a broker stopped under load has done (KAFKA-20734): of the commits that it had acknowledged, each part (a partition,
   * a group of markers) keeps those before some point and loses the rest, and no reader has seen what is lost. `kept` says
   * which share a part of a producer keeps; nothing by default. What is lost stays open, and producers go on as if nothing had
   * happened, or every one of them has to begin anew (`fences`).
   */
  loseUnsettled(kept: (part: string) => number = () => 0, fences = true): void {
    const torn = tear(this.logs.byTopic, this.#unsettled, kept);
    this.#unsettled = [];
    for (const { name, before, isLost } of torn.markers) {
      if (!isLost) continue;
      if (before === undefined) this.#markers.delete(name);
      else this.#markers.set(name, before);
    }
    this.#leftovers.leave(torn);
    if (!fences) return;
    for (const transactionalId of this.#producers.keys()) {
      this.#renew(transactionalId);
      this.#leftovers.abort(transactionalId, (part) => !this.away.has(part));
    }
  }

  readMarkers(kind: 'lane' | 'retry', lanes: readonly number[]): ReadonlyMap<number, number> {
    this.reach();
    for (const lane of lanes) {
      if (lane >= this.markerPartitions) throw this.noMarkerPartition(lane);
      const pending =
        [...this.#producers.values()].some(({ transaction }) => transaction?.markers.has(markerName(kind, lane))) ||
        this.#leftovers.hasPending(markerName(kind, lane));
      // The broker answers UNSTABLE_OFFSET_COMMIT: somebody who could still write it was not fenced.
      if (pending) throw new RelayError('KAFKA_UNREACHABLE', `the marker of lane ${lane} is not settled`);
    }
    return new Map(lanes.map((lane) => [lane, this.marker(kind, lane)]));
  }

  /** Of a port whose producers, with the epochs they got, are `producers`: nothing that one of them sent counts once it is fenced. */
  settledMarkers(
    kind: 'lane' | 'retry',
    lanes: readonly number[],
    producers: ReadonlyMap<string, number>,
  ): ReadonlyMap<number, number> {
    this.reach();
    const isStanding = [...producers].every(([id, epoch]) => this.#producers.get(id)?.epoch === epoch);
    return new Map(lanes.map((lane) => [lane, isStanding ? this.#settledMarker(markerName(kind, lane)) : -1]));
  }

  #settledMarker(name: string): number {
    const bounds = this.#unsettled.map((each) => settledBefore(each, name));
    return this.#leftovers.settled(name, Math.min(this.#markers.get(name) ?? -1, ...bounds));
  }

  findLanded(
    transactionalIds: readonly string[],
    lanes: readonly number[],
    topics: ReadonlySet<string>,
    unseen: ReadonlySet<string> = new Set(),
  ): Landed | null {
    this.reach();
    if (topics.size === 0) return null;
    const hidden = new Set([...this.away, ...unseen]);
    const found = lookUp(
      this.logs.entries(topics, (part) => !hidden.has(part)),
      transactionalIds,
      lanes,
    );
    const parts = [...hidden].filter((part) => topics.has(topicOf(part)));
    const unknown = parts.flatMap((part) => {
      const waitsFor = `${part}/${this.countOf(topicOf(part))}`;
      return transactionalIds.map((by) => ({ waitsFor, by, sinceMs: 0 }));
    });
    return { ...found, unknown };
  }

  /** Of one partition; throws while it has no leader. */
  findLandedAt(part: string, transactionalIds: readonly string[], lanes: readonly number[]): Landed {
    this.reach();
    if (this.away.has(part)) throw this.noLeader(part);
    return {
      ...lookUp(
        this.logs.entries(undefined, (each) => each === part),
        transactionalIds,
        lanes,
      ),
      unknown: [],
    };
  }

  port(options: FakePortOptions = {}): FakeKafkaPort {
    return createFakePort(this, options);
  }

  #producerAt(transactionalId: string, epoch: number): Producer {
    const producer = this.#producers.get(transactionalId);
    if (!producer || producer.epoch !== epoch) {
      throw new RelayError('KAFKA_FENCED', `producer ${transactionalId} was fenced`);
    }
    return producer;
  }

  #transactionOf(transactionalId: string, epoch: number): Transaction {
    const producer = this.#producerAt(transactionalId, epoch);
    producer.transaction ??= begun(transactionalId);
    return producer.transaction;
  }
}
