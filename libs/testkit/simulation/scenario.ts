/** What a seed stands for: plain data, so that a failing scenario can be cut down piece by piece and printed. */
import type { RowFaultPolicy } from '#outbox';
import { Dice, streamOf } from './chance.ts';

export type ProcessFault =
  /** `ghost`: the request under way arrives all the same, perhaps much later. */
  | { readonly kind: 'crash'; readonly ghost: boolean }
  /** Longer or shorter than every lease. `ghost`: stopped before the request left. */
  | { readonly kind: 'stop'; readonly ms: number; readonly ghost: boolean }
  /** Before the effect: it does not happen; after it: the reply is lost. */
  | { readonly kind: 'fail' }
  /** The caller gives up, and the effect happens `ms` later. */
  | { readonly kind: 'late'; readonly ms: number };

export type PlacedFault = ProcessFault & { readonly process: string; readonly gate: number };

export interface Restart {
  readonly process: string;
  readonly atMs: number;
  /** SIGTERM, then a new life `downMs` later; null: it stays away. */
  readonly downMs: number | null;
}

export type WorldFault =
  | {
      readonly kind: 'away';
      readonly what: 'db' | 'kafka' | 'lock' | 'bell';
      readonly atMs: number;
      readonly forMs: number;
    }
  | { readonly kind: 'lock-flush' | 'markers-expire'; readonly atMs: number }
  | { readonly kind: 'lock-steal'; readonly atMs: number; readonly source: string }
  | {
      readonly kind: 'topic-missing' | 'topic-forbidden';
      readonly topic: string;
      readonly atMs: number;
      readonly forMs: number;
    };

export interface ScenarioRow {
  readonly key: string | null;
  readonly topic: string;
  /** Refused by the broker: never, until the world heals, or for good. */
  readonly poison: 'no' | 'while-faulty' | 'forever';
}

export interface Statement {
  readonly afterMs: number;
  /** From taking the ids to holding their locks. */
  readonly unlockedMs: number;
  readonly rows: readonly ScenarioRow[];
}

export interface Transaction {
  readonly source: string;
  readonly atMs: number;
  readonly statements: readonly Statement[];
  readonly endAfterMs: number;
  readonly commits: boolean;
}

export interface ScenarioSource {
  readonly name: string;
  readonly lanes: number;
  readonly gapMode: 'locks' | 'time';
  readonly gapGraceMs: number;
  readonly startFrom: 'earliest' | 'latest';
}

export interface Scenario {
  readonly seed: number;
  readonly sources: readonly ScenarioSource[];
  readonly writers: readonly string[];
  readonly senders: readonly string[];
  /** Gives a restarted sender the transactional id of its former life. */
  readonly keepsIds: boolean;
  readonly policy: RowFaultPolicy;
  readonly retriesMax: number;
  readonly parkedKeysMax: number;
  readonly writerRowsMax: number;
  readonly senderRowsMax: number;
  readonly trimRowsMax: number;
  readonly gapsMax: number;
  readonly markerRefreshMs: number;
  readonly partitions: number;
  readonly latencyMs: number;
  readonly faultChance: number;
  readonly ringLoss: number;
  readonly healAtMs: number;
  readonly transactions: readonly Transaction[];
  readonly faults: readonly PlacedFault[];
  readonly restarts: readonly Restart[];
  readonly world: readonly WorldFault[];
}

export const TOPICS = ['events', 'others'] as const;
const GATES_MAX = 400;
/** Longer than every lease and lock, and shorter. */
const STOP_MS = { least: 50, most: 8_000 };

export function scenarioOf(seed: number): Scenario {
  const dice = new Dice(streamOf(seed, 'scenario'));
  const sources = namesOf('source', dice.whole(1, 2)).map((name) => sourceOf(dice, name));
  const writers = namesOf('W', dice.whole(1, 3));
  const senders = namesOf('S', dice.whole(1, 4));
  const healAtMs = dice.whole(1_500, 6_000);
  const poisonChance = dice.chance(0.3) ? 0.15 : 0;
  return {
    seed,
    sources,
    writers,
    senders,
    keepsIds: dice.chance(0.3),
    policy: dice.pick(['dead-letter', 'dead-letter', 'park-key', 'halt']),
    retriesMax: dice.whole(1, 3),
    parkedKeysMax: dice.chance(0.2) ? 2 : 100,
    writerRowsMax: dice.pick([1, 2, 3, 5, 20, 100]),
    senderRowsMax: dice.pick([1, 2, 3, 5, 20, 100]),
    trimRowsMax: dice.pick([1, 3, 100]),
    gapsMax: dice.pick([2, 5, 100]),
    markerRefreshMs: dice.pick([500, 60_000]),
    partitions: dice.whole(1, 3),
    latencyMs: dice.pick([1, 3, 10, 30]),
    faultChance: dice.pick([0, 0, 0.002, 0.01, 0.03]),
    ringLoss: dice.pick([0, 0.1, 0.5, 1]),
    healAtMs,
    transactions: transactionsOf(dice, sources, healAtMs, poisonChance),
    faults: faultsOf(dice, [...writers, ...senders]),
    restarts: restartsOf(dice, [...writers, ...senders], healAtMs),
    world: worldOf(dice, sources, healAtMs),
  };
}

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

function sourceOf(dice: Dice, name: string): ScenarioSource {
  const gapMode = dice.chance(0.25) ? 'time' : 'locks';
  return {
    name,
    lanes: dice.whole(1, 4),
    gapMode,
    gapGraceMs: gapMode === 'time' ? dice.whole(500, 1_500) : dice.whole(100, 300),
    startFrom: dice.chance(0.1) ? 'latest' : 'earliest',
  };
}

/** The promises hold for transactions that take their locks within the grace, and in mode `time` also end within it. */
const SAFE_SHARE = 0.9;

function transactionsOf(
  dice: Dice,
  sources: readonly ScenarioSource[],
  untilMs: number,
  poisonChance: number,
): Transaction[] {
  const keys = namesOf('k', dice.whole(1, 4));
  const count = dice.whole(3, 30);
  return Array.from({ length: count }, () => {
    const source = dice.pick(sources);
    const openMaxMs = source.gapMode === 'time' ? source.gapGraceMs * SAFE_SHARE : dice.pick([5, 50, 500, 3_000]);
    const parts = dice.chance(0.2) ? 2 : 1;
    const row = (): ScenarioRow => ({
      key: dice.chance(0.1) ? null : dice.pick(keys),
      topic: dice.chance(0.15) ? TOPICS[1] : TOPICS[0],
      poison: dice.chance(poisonChance) ? dice.pick(['while-faulty', 'forever'] as const) : 'no',
    });
    const statements = Array.from({ length: parts }, (_, index) => ({
      afterMs: index === 0 ? 0 : dice.between(0, openMaxMs / 4),
      unlockedMs: dice.chance(0.3) ? dice.between(0, Math.min(source.gapGraceMs * SAFE_SHARE, openMaxMs / 4)) : 0,
      rows: Array.from({ length: dice.chance(0.1) ? dice.whole(5, 15) : dice.whole(1, 3) }, row),
    }));
    const usedMs = statements.reduce((sum, { afterMs, unlockedMs }) => sum + afterMs + unlockedMs, 0);
    return {
      source: source.name,
      atMs: dice.between(0, untilMs),
      statements,
      endAfterMs: dice.chance(0.4) ? 0 : dice.between(0, Math.max(0, openMaxMs - usedMs)),
      commits: dice.chance(0.8),
    };
  });
}

function faultsOf(dice: Dice, processes: readonly string[]): PlacedFault[] {
  const count = dice.whole(0, 8);
  return Array.from({ length: count }, (): PlacedFault => {
    const at = { process: dice.pick(processes), gate: dice.whole(1, GATES_MAX) };
    const kind = dice.pick(['crash', 'crash', 'stop', 'stop', 'fail', 'late', 'late'] as const);
    const ghost = dice.chance(0.5);
    if (kind === 'crash') return { ...at, kind, ghost };
    if (kind === 'stop') return { ...at, kind, ghost, ms: dice.between(STOP_MS.least, STOP_MS.most) };
    if (kind === 'late') return { ...at, kind, ms: dice.between(10, STOP_MS.most) };
    return { ...at, kind };
  });
}

function restartsOf(dice: Dice, processes: readonly string[], untilMs: number): Restart[] {
  return Array.from({ length: dice.whole(0, 2) }, () => ({
    process: dice.pick(processes),
    atMs: dice.between(100, untilMs),
    downMs: dice.chance(0.2) ? null : dice.between(0, 2_000),
  }));
}

function worldOf(dice: Dice, sources: readonly ScenarioSource[], untilMs: number): WorldFault[] {
  return Array.from({ length: dice.whole(0, 3) }, (): WorldFault => {
    const atMs = dice.between(0, untilMs);
    const forMs = dice.between(20, 2_000);
    const roll = dice.next();
    if (roll < 0.5) return { kind: 'away', what: dice.pick(['db', 'kafka', 'lock', 'bell']), atMs, forMs };
    if (roll < 0.65) return { kind: 'lock-flush', atMs };
    if (roll < 0.75) return { kind: 'lock-steal', atMs, source: dice.pick(sources).name };
    if (roll < 0.82) return { kind: 'markers-expire', atMs };
    return { kind: dice.pick(['topic-missing', 'topic-forbidden']), topic: dice.pick(TOPICS), atMs, forMs };
  });
}
