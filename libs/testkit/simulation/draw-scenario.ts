/** Draws a scenario from its seed: the same seed, the same scenario. */
import { Dice, streamOf } from './chance.ts';
import { placeFaults } from './place-faults.ts';
import {
  type Restart,
  type Scenario,
  type ScenarioRow,
  type ScenarioSource,
  type Statement,
  type Theme,
  TOPICS,
  type Transaction,
  type WorldFault,
} from './scenario.ts';

const POISONS = ['for-a-while', 'for-a-while', 'forever'] as const;
/** Attempts enough to outlast any broker that takes the row in the end. */
const PATIENT = 50;

/** `wanted` narrows chance down to one kind of scene. */
export function scenarioOf(seed: number, wanted?: Theme): Scenario {
  const dice = new Dice(streamOf(seed, 'scenario'));
  const drawn = dice.pick<Theme>([
    'any',
    'take-over',
    'take-over',
    'poison',
    'poison',
    'writers',
    'torn',
    'targets',
    'targets',
  ]);
  const lock = lockOf(seed, wanted);
  const theme = wanted === 'lock' ? 'writers' : (wanted ?? drawn);
  const sources = namesOf('source', dice.pick([1, 1, 2])).map((name) => sourceOf(dice, name));
  const writers = namesOf('W', theme === 'writers' ? dice.whole(2, 3) : dice.pick([1, 1, 2, 3]));
  const senders = namesOf('S', theme === 'any' ? dice.whole(1, 4) : theme === 'writers' ? 1 : dice.pick([2, 2, 3]));
  const healAtMs = theme === 'poison' || theme === 'take-over' ? dice.whole(2_500, 4_500) : dice.whole(1_000, 4_000);
  const retriesMax = theme === 'poison' ? dice.pick([1, 3, PATIENT, PATIENT]) : dice.whole(1, 3);
  const poisonChance = theme === 'poison' ? dice.pick([0.1, 0.3, 0.5]) : dice.chance(0.15) ? 0.1 : 0;
  return {
    seed,
    sources,
    writers,
    senders,
    keepsIds: dice.chance(0.3),
    handsOver: dice.chance(0.15),
    fallbackAfterMs: lock.fallbackAfterMs,
    policy: dice.pick(['dead-letter', 'dead-letter', 'park-key', 'halt']),
    retriesMax,
    parkedKeysMax: dice.chance(0.1) ? 2 : 100,
    writerRowsMax: dice.pick([1, 2, 3, 5, 20, 100]),
    senderRowsMax: dice.pick([1, 2, 3, 5, 20, 100]),
    trimRowsMax: dice.pick([1, 3, 100]),
    ...waitingOf(seed),
    gapCostMax: dice.pick([0, 2, 1_000]),
    markerRefreshMs: dice.pick([500, 60_000]),
    transactional: theme !== 'any' || dice.chance(0.85),
    partitions: dice.whole(1, 3),
    latencyMs: dice.pick([1, 3, 10, 30]),
    haste: dice.pick([0.2, 0.6, 0.85]),
    faultChance: theme === 'any' ? dice.pick([0, 0.002, 0.01, 0.03]) : dice.pick([0, 0, 0, 0.003]),
    ringLoss: dice.pick([0, 0.1, 0.5, 1]),
    healAtMs,
    curesAtMs: dice.between(0.1, theme === 'poison' ? 0.6 : 1) * healAtMs,
    transactions: transactionsOf(dice, sources, healAtMs, {
      chance: poisonChance,
      kinds: retriesMax === PATIENT ? ['for-a-while'] : POISONS,
    }),
    faults: placeFaults(dice, { writers, senders }, theme),
    restarts: restartsOf(dice, [...writers, ...senders], healAtMs),
    world: [
      ...worldOf(dice, sources, healAtMs, theme),
      ...lock.faultsOf(writers, healAtMs),
      ...(theme === 'targets' ? targetsOf(seed, healAtMs) : []),
    ],
  };
}

interface LockScene {
  readonly fallbackAfterMs: number;
  faultsOf(writers: readonly string[], untilMs: number): readonly WorldFault[];
}

/** By dice of its own: the rest of a seed's scenario is the same with and without it. */
function lockOf(seed: number, wanted: Theme | undefined): LockScene {
  const dice = new Dice(streamOf(seed, 'lock'));
  const fallbackAfterMs = dice.pick([500, 1_000, 4_000]);
  const isHurt = wanted === 'lock' || (wanted === undefined && dice.chance(0.15));
  return {
    fallbackAfterMs,
    faultsOf: (writers, untilMs) =>
      Array.from({ length: isHurt ? dice.whole(1, 2) : 0 }, () => ({
        kind: 'no-lock',
        writer: dice.chance(0.3) ? null : dice.pick(writers),
        atMs: dice.between(0, untilMs / 2),
        forMs: dice.chance(0.4) ? null : dice.between(200, 4_000),
      })),
  };
}

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

function sourceOf(dice: Dice, name: string): ScenarioSource {
  const gapMode = dice.pick(['time', 'locks', 'transactions', 'transactions', 'transactions'] as const);
  return {
    name,
    lanes: dice.pick([1, 1, 2, 3, 4]),
    gapMode,
    gapGraceMs: gapMode === 'time' ? dice.whole(500, 1_500) : dice.whole(100, 300),
    idStep: dice.pick([1, 1, 1, 3]),
    startFrom: dice.chance(0.1) ? 'latest' : 'earliest',
  };
}

/**
 * The promises hold for transactions that show within the grace; in mode `locks` for those whose rows are in their places within it,
 * in mode `time` for those that end within it.
 */
const SAFE_SHARE = 0.9;

function transactionsOf(
  dice: Dice,
  sources: readonly ScenarioSource[],
  untilMs: number,
  poison: { readonly chance: number; readonly kinds: readonly ScenarioRow['poison'][] },
): Transaction[] {
  const keys = namesOf('k', dice.pick([1, 2, 2, 4]));
  const count = dice.whole(2, dice.pick([6, 6, 12, 24]));
  return Array.from({ length: count }, () => {
    const source = dice.pick(sources);
    const openMaxMs = source.gapMode === 'time' ? source.gapGraceMs * SAFE_SHARE : dice.pick([5, 50, 500, 3_000]);
    const parts = dice.chance(0.2) ? 2 : 1;
    const row = (): ScenarioRow => ({
      key: dice.chance(0.1) ? null : dice.pick(keys),
      topic: dice.chance(0.15) ? TOPICS[1] : TOPICS[0],
      poison: dice.chance(poison.chance) ? dice.pick(poison.kinds) : 'no',
    });
    const statements = Array.from({ length: parts }, (_, index) => ({
      afterMs: index === 0 ? 0 : dice.between(0, openMaxMs / 4),
      ...waitOf(dice, source, openMaxMs),
      rows: Array.from({ length: dice.chance(0.1) ? dice.whole(5, 15) : dice.whole(1, 3) }, row),
    }));
    const usedMs = statements.reduce((sum, { afterMs, hiddenMs, waitMs }) => sum + afterMs + hiddenMs + waitMs, 0);
    return {
      source: source.name,
      atMs: untilMs * 0.8 * dice.next() ** 1.5,
      statements,
      endAfterMs: dice.chance(0.4) ? 0 : dice.between(0, Math.max(0, openMaxMs - usedMs)),
      commits: dice.chance(0.8),
    };
  });
}

function waitOf(
  dice: Dice,
  { gapMode, gapGraceMs }: ScenarioSource,
  openMaxMs: number,
): Pick<Statement, 'hiddenMs' | 'waitMs' | 'undoesFirst'> {
  const safeMs = Math.min(gapGraceMs * SAFE_SHARE, openMaxMs / 4);
  if (gapMode !== 'transactions') {
    return { hiddenMs: 0, waitMs: dice.chance(0.3) ? dice.between(0, safeMs) : 0, undoesFirst: dice.chance(0.1) };
  }
  return {
    hiddenMs: dice.chance(0.3) ? dice.between(0, gapGraceMs * SAFE_SHARE) : 0,
    waitMs: dice.chance(0.3) ? dice.between(0, openMaxMs) : 0,
    undoesFirst: dice.chance(0.2),
  };
}

function restartsOf(dice: Dice, processes: readonly string[], untilMs: number): Restart[] {
  return Array.from({ length: dice.whole(0, 2) }, () => ({
    process: dice.pick(processes),
    atMs: dice.between(100, untilMs),
    downMs: dice.chance(0.2) ? null : dice.between(0, 2_000),
  }));
}

/** By dice of their own: the other draws of a seed stay as they are. */
function waitingOf(seed: number): Pick<Scenario, 'targetPatienceMs' | 'waitingRowsMax'> {
  const dice = new Dice(streamOf(seed, 'waiting'));
  return { targetPatienceMs: dice.pick([0, 0, 60]), waitingRowsMax: dice.pick([0, 3, 1_000, 1_000]) };
}

/** Topics and partitions that are away for a time, mostly from a moment on at which something is under way. */
function targetsOf(seed: number, untilMs: number): WorldFault[] {
  const dice = new Dice(streamOf(seed, 'targets'));
  const faults = Array.from({ length: dice.whole(1, 4) }, (): WorldFault => {
    const times = { atMs: dice.between(0, untilMs * 0.8), forMs: dice.pick([50, 300, 1_000, 3_000]) };
    const topic = dice.chance(0.7) ? TOPICS[0] : TOPICS[1];
    if (dice.chance(0.2)) return { kind: dice.pick(['topic-missing', 'topic-forbidden']), topic, ...times };
    const until = dice.chance(0.7) ? dice.pick(['before:commit', 'after:commit', 'after:send', 'after:fence']) : null;
    const where = { topic, partition: dice.whole(0, 2), announced: dice.chance(0.6) };
    return { kind: 'partition-away', ...where, ...times, until };
  });
  return dice.chance(0.3) ? [...faults, lossAt(dice, dice.between(0, untilMs))] : faults;
}

/** Mostly while something has been acknowledged and has not settled: there is nothing to lose at any other time. */
function lossAt(dice: Dice, atMs: number): WorldFault {
  const torn = dice.chance(0.7) ? dice.whole(1, 1_000_000) : null;
  return { kind: 'commits-lost', atMs, torn, until: dice.chance(0.8) ? 'after:commit' : null };
}

function worldOf(dice: Dice, sources: readonly ScenarioSource[], untilMs: number, theme: Theme): WorldFault[] {
  const losses = theme === 'torn' ? dice.whole(1, 3) : 0;
  const torn = Array.from({ length: losses }, () => lossAt(dice, dice.between(0, untilMs)));
  const others = Array.from({ length: dice.whole(0, theme === 'any' ? 3 : 1) }, (): WorldFault => {
    const atMs = dice.between(0, untilMs);
    const forMs = dice.between(20, 2_000);
    const roll = dice.next();
    if (roll < 0.05) return { kind: 'rings', atMs };
    if (roll < 0.12) return { kind: 'db-clock', atMs, byMs: dice.between(-2_000, 4_000) };
    if (roll < 0.5) return { kind: 'away', what: dice.pick(['db', 'kafka', 'lock', 'bell']), atMs, forMs };
    if (roll < 0.65) return { kind: 'lock-flush', atMs };
    if (roll < 0.75) return { kind: 'lock-steal', atMs, source: dice.pick(sources).name };
    if (roll < 0.8) return { kind: 'markers-expire', atMs };
    if (roll < 0.9) return lossAt(dice, atMs);
    return { kind: dice.pick(['topic-missing', 'topic-forbidden']), topic: dice.pick(TOPICS), atMs, forMs };
  });
  return [...torn, ...others];
}
