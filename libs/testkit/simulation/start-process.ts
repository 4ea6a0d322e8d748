/** The same core as in production, started inside a simulated process on the fakes of its ports. */
import {
  type Doorbell,
  type KafkaPort,
  runSource,
  Sender,
  type SourceReader,
  TERM_MOVES,
  type TermState,
  type WriterEvent,
} from '#outbox';
import type { FakeDatabaseLocks } from '../fakes/database-locks.ts';
import type { FakeDoorbells } from '../fakes/doorbell.ts';
import type { FakeElections } from '../fakes/election.ts';
import { FakeSourceReader } from '../fakes/source.ts';
import type { FakeSourceTable } from '../fakes/source-table.ts';
import { createFakeStore } from '../fakes/store.ts';
import type { Dice } from './chance.ts';
import type { Mutation, MutationSite } from './mutation.ts';
import { type Scenario, type ScenarioSource, TOPICS } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimKafka } from './sim-kafka.ts';
import type { Gates, SimProcess, Trace } from './sim-process.ts';
import type { SimTables } from './sim-tables.ts';
import { Violation } from './violation.ts';

export interface ProcessWorld {
  readonly scenario: Scenario;
  readonly scheduler: Scheduler;
  readonly kafka: SimKafka;
  readonly tables: SimTables;
  readonly sources: ReadonlyMap<string, FakeSourceTable>;
  readonly elections: FakeElections;
  readonly databaseLocks: FakeDatabaseLocks;
  /** True while the lock service does not answer this writer, whichever of its lives. */
  readonly isCutOff: (writer: string) => boolean;
  readonly doorbells: FakeDoorbells;
  readonly mutation: Mutation | null;
  readonly trace: Trace | null;
  /** Told when a term ends because another one began. */
  readonly onFenced: (source: string) => void;
  readonly report: (violation: Violation) => void;
}

const BACKOFF = { baseMs: 30, maxMs: 400 };
const BYTES_MAX = 400;
export const LEASE_MS = 1_500;
const TICK_MS = 600;
const LOCK_CHECK_MS = 700;
/** Idle looks are most of what there is to simulate, and the same over and over. */
const PACE_GROWTH = 3;

/** Both gates of each call of a port: made once, since every call asks for them. */
function gatesOf(spell: (name: string) => Gates): (name: string) => Gates {
  const known = new Map<string, Gates>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const gates = spell(name);
    known.set(name, gates);
    return gates;
  };
}

const STORE_GATES = gatesOf((name) => ({ asked: `store.${name}`, answered: `store.${name}:answered` }));
const SOURCE_GATES = gatesOf((name) => ({ asked: `source.${name}`, answered: `source.${name}:answered` }));
const KAFKA_GATES = gatesOf((name) => ({ asked: `before:${name}`, answered: `after:${name}` }));

/** Steps of one transaction, which is answered as a whole. */
const PARTS = new Set(['send', 'markers', 'commit']);

/** A transaction can be answered early, while the rest of it is still to come. */
function kafkaOf(world: ProcessWorld, process: SimProcess): KafkaPort {
  const port = world.kafka.port({
    transactional: world.scenario.transactional,
    step: (name, effect) => process.perform('kafka', KAFKA_GATES(name), effect, PARTS.has(name)),
  });
  return {
    ...port,
    open: async (id, sentTopics) => {
      const session = await port.open(id, sentTopics);
      return {
        transactional: session.transactional,
        transact: (records, markers) => process.transact(() => session.transact(records, markers)),
        misfits: async (records) => (await session.misfits?.(records)) ?? new Map(),
        isIntact: () => session.isIntact(),
        close: () => session.close(),
      };
    },
  };
}

/** Rings arrive late, twice, or while the process is stopped; lost ones are the doorbell's own doing. */
function bellOf(world: ProcessWorld, process: SimProcess, dice: Dice): Doorbell {
  const bell = world.doorbells.doorbell();
  return {
    ring: (ring) => bell.ring(ring),
    close: () => bell.close(),
    listen: (onRing) =>
      bell.listen((ring) => {
        if (process.dead) return;
        const times = dice.chance(0.1) ? 2 : 1;
        for (let time = 0; time < times; time += 1) {
          world.scheduler.after(dice.between(0, 10), () => process.wake(() => onRing(ring)));
        }
      }),
  };
}

function storeOf(world: ProcessWorld, process: SimProcess) {
  return createFakeStore({
    tables: world.tables,
    call: (name, effect) => {
      const gates = STORE_GATES(name);
      return process.perform('store', gates, () => {
        const answer = effect();
        world.tables.attribute(gates.answered, process.name, world.report);
        return answer;
      });
    },
  });
}

const siteOf = (world: ProcessWorld, process: SimProcess): MutationSite => ({
  process,
  tables: world.tables,
  kafka: world.kafka,
  memory: new Map(),
});

/** Resolves when every source has ended after the signal; rejects with the fault that halts one. */
export async function runWriter(
  world: ProcessWorld,
  process: SimProcess,
  dice: Dice,
  signal: AbortSignal,
): Promise<void> {
  const { scenario, mutation } = world;
  const site = siteOf(world, process);
  const doorbell = bellOf(world, process, dice);
  const databaseLocks = world.databaseLocks.of({
    isDead: () => process.dead,
    call: (name, effect) => process.perform('store', STORE_GATES(name), effect),
  });
  const writer = process.name.split('.')[0] as string;
  const election = world.elections.candidate(doorbell, {
    clock: process.clock,
    gate: (name) => process.lockGate(name),
    isCutOff: () => world.isCutOff(writer),
    database: mutation?.databaseLocks?.(databaseLocks, site) ?? databaseLocks,
    fallbackAfterMs: mutation?.fallbackAfterMs ?? scenario.fallbackAfterMs,
    checkIntervalMs: LOCK_CHECK_MS,
    onEvent: (event) => world.trace?.(() => `  ${process.name} ${show(event)}`),
  });
  const plain = storeOf(world, process).writer;
  const store = mutation?.writerStore?.(plain, site) ?? plain;
  await Promise.all(
    scenario.sources.map((source) =>
      runSource(
        {
          source: source.name,
          writerId: process.name,
          lanes: source.lanes,
          startFrom: source.startFrom,
          store,
          openReader: async () => readerOf(world, process, source, site),
          election,
          doorbell,
          clock: process.clock,
          random: dice.next,
          limits: { rowsMax: scenario.writerRowsMax, bytesMax: BYTES_MAX },
          pollIntervalMs: 400,
          paceGrowth: PACE_GROWTH,
          gapGraceMs: () => mutation?.gapGraceMs ?? source.gapGraceMs,
          gapCostMax: scenario.gapCostMax,
          backoff: BACKOFF,
          electionIntervalMs: 500,
          mayLead: () => !scenario.handsOver || dice.chance(0.8),
          shouldHandOver: () => scenario.handsOver && dice.chance(0.02),
          onEvent: watchWriter(world, process),
        },
        signal,
      ),
    ),
  );
  await election.close();
  await doorbell.close();
}

/** Judges what a writer reports about one source: its states, and that what it believes committed is committed. */
function watchWriter(world: ProcessWorld, process: SimProcess): (event: WriterEvent) => void {
  let state: TermState = 'standby';
  return (event) => {
    world.trace?.(() => `  ${process.name} ${show(event)}`);
    const next = TERM_MOVES[state][event.kind];
    if (next === 'illegal') world.report(new Violation('I8', `${process.name} reports ${event.kind} while ${state}`));
    else state = next;
    if (event.kind === 'term-ended' && event.why === 'fenced') world.onFenced(event.source);
    if (event.kind !== 'moved') return;
    const committed = world.tables.watermarks.get(event.source)?.nextSequence ?? 0;
    if (committed >= event.nextSequence) return;
    const what = `${process.name} believes in sequence ${event.nextSequence} of ${event.source}, committed is ${committed}`;
    world.report(new Violation('I1', what));
  };
}

function readerOf(world: ProcessWorld, process: SimProcess, source: ScenarioSource, site: MutationSite): SourceReader {
  const reader = new FakeSourceReader({
    table: world.sources.get(source.name) as FakeSourceTable,
    name: source.name,
    topic: TOPICS[0],
    gapMode: source.gapMode,
    consumes: source.consumes ?? false,
    call: (name, look) => process.perform('source', SOURCE_GATES(name), look),
  });
  return world.mutation?.reader?.(reader, site) ?? reader;
}

/** Resolves when the sender has ended after the signal; rejects with its fatal fault. */
export async function runSender(
  world: ProcessWorld,
  process: SimProcess,
  transactionalId: string,
  dice: Dice,
  signal: AbortSignal,
): Promise<void> {
  const { scenario, mutation } = world;
  const site = siteOf(world, process);
  const doorbell = bellOf(world, process, dice);
  const plainStore = storeOf(world, process).sender;
  const plainKafka = kafkaOf(world, process);
  const sender = new Sender({
    transactionalId,
    store: mutation?.senderStore?.(plainStore, site) ?? plainStore,
    kafka: mutation?.kafka?.(plainKafka, site) ?? plainKafka,
    doorbell,
    clock: process.clock,
    random: dice.next,
    limits: { rowsMax: scenario.senderRowsMax, bytesMax: BYTES_MAX },
    pollIntervalMs: 500,
    paceGrowth: PACE_GROWTH,
    leaseMs: LEASE_MS,
    tickMs: TICK_MS,
    markerSettleMs: 200,
    markerRefreshMs: scenario.markerRefreshMs,
    backoff: BACKOFF,
    retriesMax: scenario.retriesMax,
    rowFaultPolicy: scenario.policy,
    parkedKeysMax: scenario.parkedKeysMax,
    targetPatienceMs: scenario.targetPatienceMs,
    waiting: { rowsMax: scenario.waitingRowsMax, bytesMax: 1_000_000 },
    trimRowsMax: scenario.trimRowsMax,
    trimIntervalMs: 250,
    onEvent: (event) => world.trace?.(() => `  ${process.name} ${show(event)}`),
  });
  await sender.run(signal);
  await doorbell.close();
}

const show = (event: object): string =>
  JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
