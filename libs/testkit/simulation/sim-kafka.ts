/** The fake Kafka under watch: what every commit does to the record of what was delivered is judged at once (I4). */
import { type DeliveryRecord, laneFloor, type MarkerWrite } from '#outbox';
import { RelayError } from '#runtime';
import { FakeKafka } from '../fakes/kafka.ts';
import type { Revived } from '../fakes/leftovers.ts';
import type { Entry } from '../fakes/torn-commits.ts';
import type { Scheduler } from './scheduler.ts';
import { Violation } from './violation.ts';

/** The broker ends a transaction that its producer left open for so long. */
const TRANSACTION_TIMEOUT_MS = 5_000;
/** An acknowledged commit is there to stay so much later. */
const SETTLES_AFTER_MS = 30;

export interface Delivered {
  readonly eventId: string;
  readonly outboxId: number;
  readonly key: string | null;
}

interface Pending {
  readonly records: DeliveryRecord[];
  readonly markers: MarkerWrite[];
}

export class SimKafka extends FakeKafka {
  /** Topics that are not there for the moment; their records are. */
  readonly missing = new Set<string>();
  readonly delivered = new Map<string, Delivered>();
  /** In the order of their commits. */
  readonly order: Delivered[] = [];
  readonly #highest = new Map<number, number>();
  readonly #settled = new Map<number, number>();
  readonly #pending = new Map<string, Pending>();
  readonly #report: (violation: Violation) => void;
  readonly #scheduler: Scheduler;
  /** Acknowledged since commits last settled: event ids, undone together. */
  #doubtful: string[] = [];
  #doubtfulMarkers: MarkerWrite[] = [];

  constructor(scheduler: Scheduler, report: (violation: Violation) => void) {
    super();
    this.settlesLate = true;
    this.#scheduler = scheduler;
    this.#report = report;
  }

  /** The highest marker of a lane that is there to stay, also when Kafka has forgotten it. */
  settledMarker(lane: number): number {
    return this.#settled.get(lane) ?? laneFloor(lane);
  }

  /** The highest marker of a lane that was ever committed and not lost, also when Kafka has forgotten it. */
  highestMarker(lane: number): number {
    return this.#highest.get(lane) ?? laneFloor(lane);
  }

  override init(transactionalId: string): number {
    // InitProducerId waits for the markers of what the id committed before.
    this.settleAll();
    const epoch = super.init(transactionalId);
    this.#pending.delete(transactionalId);
    return epoch;
  }

  override checkTopics(records: readonly DeliveryRecord[]): void {
    const away = records.find(({ topic }) => this.missing.has(topic));
    if (away !== undefined) {
      const details = { topic: away.topic, partition: null };
      throw new RelayError('KAFKA_TOPIC_MISSING', 'the topic is away', { details });
    }
    super.checkTopics(records);
  }

  override append(transactionalId: string | null, epoch: number, records: readonly DeliveryRecord[]): void {
    super.append(transactionalId, epoch, records);
    if (transactionalId !== null) this.#pendingOf(transactionalId).records.push(...records);
    else for (const record of records) this.#deliver(record, null);
  }

  override putMarkers(transactionalId: string, epoch: number, markers: readonly MarkerWrite[]): void {
    super.putMarkers(transactionalId, epoch, markers);
    this.#pendingOf(transactionalId).markers.push(...markers);
  }

  override end(transactionalId: string, epoch: number, fate: 'committed' | 'aborted'): readonly Entry[] {
    const isFirst = this.#doubtful.length + this.#doubtfulMarkers.length === 0;
    const left = super.end(transactionalId, epoch, fate);
    const pending = this.#pending.get(transactionalId);
    this.#pending.delete(transactionalId);
    if (fate === 'aborted' || pending === undefined) return left;
    const open = new Set(left.map(({ record }) => record));
    const records = pending.records.filter((record) => !open.has(record));
    for (const record of records) this.#deliver(record, transactionalId);
    for (const marker of pending.markers) if (marker.kind === 'lane') this.#raise(marker, transactionalId);
    if (isFirst) this.#scheduler.after(SETTLES_AFTER_MS, () => this.settleAll());
    this.#doubtful.push(...records.map(({ headers }) => headers.id as string));
    this.#doubtfulMarkers.push(...pending.markers);
    return left;
  }

  override settleAll(): void {
    super.settleAll();
    this.#doubtful = [];
    this.#doubtfulMarkers = [];
    for (const [lane, marker] of this.#highest) this.#settled.set(lane, marker);
  }

  protected override revived(by: string, { entries, markers }: Revived): void {
    for (const { record } of entries) this.#deliver(record, by);
    for (const [name, value] of markers) {
      const [kind, lane] = name.split('/');
      if (kind !== 'lane') continue;
      const write = { kind, lane: Number(lane), value } as const;
      this.#raise(write, by);
      this.#doubtfulMarkers.push(write);
    }
    this.#doubtful.push(...entries.map(({ record }) => record.headers.id as string));
  }

  override loseUnsettled(kept?: (part: string) => number, fences = true): void {
    super.loseUnsettled(kept, fences);
    const there = this.committedIds();
    for (const eventId of this.#doubtful) if (!there.has(eventId)) this.delivered.delete(eventId);
    this.#doubtful = [];
    const lanes = this.#doubtfulMarkers.filter(({ kind }) => kind === 'lane').map(({ lane }) => lane);
    this.#doubtfulMarkers = [];
    if (fences) this.#pending.clear();
    for (const lane of lanes) this.#highest.set(lane, Math.max(this.settledMarker(lane), this.marker('lane', lane)));
    for (const [lane, marker] of this.#highest) this.#settled.set(lane, marker);
  }

  #pendingOf(transactionalId: string): Pending {
    let pending = this.#pending.get(transactionalId);
    if (pending === undefined) {
      const begun: Pending = { records: [], markers: [] };
      pending = begun;
      this.#pending.set(transactionalId, begun);
      this.#scheduler.after(TRANSACTION_TIMEOUT_MS, () => {
        if (this.#pending.get(transactionalId) === begun) this.expireTransaction(transactionalId);
      });
    }
    return pending;
  }

  /** `by` null: a plain producer, which may deliver twice. */
  #deliver(record: DeliveryRecord, by: string | null): void {
    const eventId = record.headers.id as string;
    const before = this.delivered.get(eventId);
    if (before !== undefined && by !== null)
      this.#report(new Violation('I4', `${by} delivers ${eventId} a second time`));
    const outboxId = Number(record.headers['outbox-id']);
    const delivered = { eventId, outboxId, key: record.key === null ? null : record.key.toString('latin1') };
    this.delivered.set(eventId, delivered);
    this.order.push(delivered);
  }

  #raise({ lane, value }: MarkerWrite, by: string): void {
    const highest = this.highestMarker(lane);
    if (value < highest)
      this.#report(new Violation('I4', `${by} sets the marker of lane ${lane} back to ${value} from ${highest}`));
    this.#highest.set(lane, Math.max(value, highest));
  }
}
