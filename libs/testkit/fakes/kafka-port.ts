/** The port of the fake Kafka: sessions as the core knows them, with a gate before and after the effect of each step. */
import {
  type DeliveryFaultScope,
  type DeliveryRecord,
  type Doubt,
  type KafkaPort,
  KnownTopics,
  type Landed,
  type MarkerWrite,
  murmur2,
  type ProducerSession,
  type SentTopics,
} from '#outbox';
import { causeOf, RelayError } from '#runtime';

/** Called as `before:<step>` and `after:<step>` (open, end-leftovers, send, markers, commit, fence, read-markers); a rejection is the step's. */
export type KafkaGate = (name: string) => Promise<void>;
/** Nothing to wait for: passed in no time. */
export type FakeKafkaGate = (name: string) => Promise<void> | undefined;

export type FakeKafkaStep = <T>(name: string, effect: () => T) => Promise<T>;

export interface FakePortOptions {
  readonly gate?: FakeKafkaGate;
  /** Instead of the gate: how a step's effect comes about, as a whole. */
  readonly step?: FakeKafkaStep;
  /** False: the at-least-once mode. */
  readonly transactional?: boolean;
}

export interface FakeKafkaPort extends KafkaPort {
  readonly transactional: boolean;
  close(): Promise<void>;
}

/** Why a record that is known to be too large is. */
export const MISFIT = 'larger than the fake Kafka takes';

/** What the broker does at each step; `transactionalId` null is a plain producer. */
export interface FakeBroker {
  /** Whether a record is known to be refused for its size without being sent. */
  isMisfit(record: DeliveryRecord): boolean;
  init(transactionalId: string): number;
  checkTopics(records: readonly DeliveryRecord[]): void;
  append(transactionalId: string | null, epoch: number, records: readonly DeliveryRecord[]): void;
  putMarkers(transactionalId: string, epoch: number, markers: readonly MarkerWrite[]): void;
  end(transactionalId: string, epoch: number, fate: 'committed' | 'aborted'): unknown;
  readMarkers(kind: 'lane' | 'retry', lanes: readonly number[]): ReadonlyMap<number, number>;
  settledMarkers(
    kind: 'lane' | 'retry',
    lanes: readonly number[],
    producers: ReadonlyMap<string, number>,
  ): ReadonlyMap<number, number>;
  findLanded(
    transactionalIds: readonly string[],
    lanes: readonly number[],
    topics: ReadonlySet<string>,
    unseen: ReadonlySet<string>,
  ): Landed | null;
  findLandedAt(part: string, transactionalIds: readonly string[], lanes: readonly number[]): Landed;
  endLeftovers(transactionalId: string, epoch: number, topics: ReadonlySet<string>): void;
  endLeftoversAt(transactionalId: string, part: string): void;
  awayParts(): readonly string[];
  partOf(record: DeliveryRecord): string;
  countPartitions(topics: readonly string[]): ReadonlyMap<string, number>;
}

function scopeOf(error: unknown): DeliveryFaultScope | null {
  if (!(error instanceof RelayError)) return null;
  const { topic, partition } = error.details;
  if (typeof topic !== 'string') return null;
  const place = { topic, partition: typeof partition === 'number' ? partition : null };
  const partitions = typeof error.details.partitions === 'number' ? error.details.partitions : null;
  const { code, message, verdict } = error;
  const target = { ...place, partitions, code, cause: causeOf(error), message };
  return { ...place, targets: verdict === 'row-fault' ? [] : [target] };
}

/** What the session does to the fake, step by step. */
type Deliver = (
  records: readonly DeliveryRecord[],
  markers: readonly MarkerWrite[],
  begin: () => void,
) => Promise<void>;

/** A session's life around its deliveries: one at a time, dead after the first fault. */
function createSession(
  { transactional, isMisfit }: { readonly transactional: boolean; readonly isMisfit: FakeBroker['isMisfit'] },
  deliver: Deliver,
  abandon: () => void,
): ProducerSession {
  let state: 'ready' | 'busy' | 'dead' | 'closed' = 'ready';
  return {
    transactional,
    async transact(records, markers) {
      if (state !== 'ready') throw new RelayError('INTERNAL', `transact on a Kafka producer that is ${state}`);
      if (records.length === 0 && markers.length === 0) return;
      state = 'busy';
      let isBegun = false;
      try {
        await deliver(records, markers, () => {
          isBegun = true;
        });
        state = 'ready';
      } catch (error) {
        state = isBegun ? 'dead' : 'ready';
        throw error;
      }
    },
    misfits: async (records) => new Map(records.filter(isMisfit).map((record) => [record, MISFIT])),
    isIntact: () => state === 'ready',
    async close() {
      if (state === 'dead') abandon();
      state = 'closed';
    },
  };
}

function gatedStep(gate: FakeKafkaGate): FakeKafkaStep {
  return async (name, effect) => {
    const before = gate(`before:${name}`);
    if (before !== undefined) await before;
    const result = effect();
    const after = gate(`after:${name}`);
    if (after !== undefined) await after;
    return result;
  };
}

const openGate: FakeKafkaGate = () => undefined;

/** As the real port: strangers are fenced once more, what is left open is ended, and then the partition is read. */
async function askDoubted(
  kafka: FakeBroker,
  step: FakeKafkaStep,
  isOwn: (id: string) => boolean,
  doubts: readonly Doubt[],
  lane: number,
): Promise<Landed> {
  const [{ waitsFor }] = doubts as [Doubt];
  const part = waitsFor.slice(0, waitsFor.lastIndexOf('/'));
  const ids = [...new Set(doubts.map(({ by }) => by))];
  for (const id of ids) {
    if (!isOwn(id)) await step('fence', () => kafka.init(id));
    await step('end-leftovers', () => kafka.endLeftoversAt(id, part));
  }
  return step('find-landed', () => kafka.findLandedAt(part, ids, [lane]));
}

/** Where nobody could look for what was left open: it is looked at before a record goes there. */
async function endUnseen(
  kafka: FakeBroker,
  step: FakeKafkaStep,
  id: string,
  unseen: Set<string>,
  records: readonly DeliveryRecord[],
): Promise<void> {
  for (const record of unseen.size === 0 ? [] : records) {
    const part = kafka.partOf(record);
    if (!unseen.has(part)) continue;
    await step('end-leftovers', () => kafka.endLeftoversAt(id, part));
    unseen.delete(part);
  }
}

async function openPlain(kafka: FakeBroker, step: FakeKafkaStep): Promise<ProducerSession> {
  const deliver: Deliver = async (records, _, begin) => {
    kafka.checkTopics(records);
    begin();
    await step('send', () => kafka.append(null, 0, records));
  };
  const isMisfit: FakeBroker['isMisfit'] = (record) => kafka.isMisfit(record);
  return createSession({ transactional: false, isMisfit }, deliver, () => undefined);
}

interface Renewing {
  readonly kafka: FakeBroker;
  readonly step: FakeKafkaStep;
  readonly unseen: Map<string, Set<string>>;
  readonly topics: KnownTopics;
}

/** InitProducerId, and then an end to what brokers have left open, where that can be known. */
async function renewOn(
  { kafka, step, unseen, topics }: Renewing,
  name: 'open' | 'fence',
  id: string,
  sentTopics: SentTopics | undefined,
): Promise<number> {
  const epoch = await step(name, () => kafka.init(id));
  await topics.learn(sentTopics);
  await step('end-leftovers', () => {
    unseen.set(id, new Set(kafka.awayParts()));
    kafka.endLeftovers(id, epoch, topics.names);
  });
  return epoch;
}

export function createFakePort(kafka: FakeBroker, options: FakePortOptions): FakeKafkaPort {
  const { transactional = true, step = gatedStep(options.gate ?? openGate) } = options;
  /** Of the present session of each transactional id. */
  const producers = new Map<string, number>();
  /** By transactional id: where nobody could look for what was left open. */
  const unseen = new Map<string, Set<string>>();
  const topics = new KnownTopics();
  const isMisfit: FakeBroker['isMisfit'] = (record) => kafka.isMisfit(record);
  const renew = (name: 'open' | 'fence', id: string, sentTopics: SentTopics | undefined) =>
    renewOn({ kafka, step, unseen, topics }, name, id, sentTopics);

  async function open(id: string, sentTopics?: SentTopics): Promise<ProducerSession> {
    const epoch = await renew('open', id, sentTopics);
    // Not reached when whoever asked has given up meanwhile: then the port will never know of this producer.
    producers.set(id, epoch);
    let commitSent = false;
    const theirs = unseen.get(id) ?? new Set<string>();
    const deliver: Deliver = async (records, markers, begin) => {
      commitSent = false;
      kafka.checkTopics(records);
      await endUnseen(kafka, step, id, theirs, records);
      begin();
      for (const { topic } of records) topics.names.add(topic);
      await step('send', () => kafka.append(id, epoch, records));
      await step('markers', () => kafka.putMarkers(id, epoch, markers));
      await step('commit', () => {
        commitSent = true;
        kafka.end(id, epoch, 'committed');
      });
    };
    return createSession({ transactional: true, isMisfit }, deliver, () => {
      if (commitSent) return;
      try {
        kafka.end(id, epoch, 'aborted');
      } catch {
        // As with the real broker, an abort on the way out is a courtesy: the next open does the same.
      }
    });
  }

  return {
    transactional,
    scopeOf,
    open: (id, sentTopics) => (transactional ? open(id, sentTopics) : openPlain(kafka, step)),
    async fence(id, sentTopics) {
      if (transactional) await renew('fence', id, sentTopics);
    },
    readMarkers: (kind, lanes) =>
      transactional
        ? step('read-markers', () => kafka.readMarkers(kind, lanes))
        : Promise.reject(new RelayError('INTERNAL', 'there are no markers in the at-least-once mode')),
    findLanded: (ids, lanes) =>
      transactional && topics.isComplete
        ? step('find-landed', () =>
            kafka.findLanded(ids, lanes, topics.names, new Set(ids.flatMap((id) => [...(unseen.get(id) ?? [])]))),
          )
        : Promise.resolve(null),
    findDoubted: (doubts, lane) => askDoubted(kafka, step, (id) => producers.has(id), doubts, lane),
    // The fake ends transactions at once, whatever their partitions take.
    isDecided: async () => false,
    countPartitions: (names) => step('count-partitions', () => kafka.countPartitions(names)),
    pickPartition: (key, spread, partitions) => (key === null ? spread : murmur2(key) & 0x7fffffff) % partitions,
    settledMarkers: (kind, lanes) =>
      transactional
        ? step('settled-markers', () => kafka.settledMarkers(kind, lanes, producers))
        : Promise.resolve(null),
    close: async () => undefined,
  };
}
