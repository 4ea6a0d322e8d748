/** What the next transaction of a load with ids without rows does: pure, from chance that can be run again. */
import type { Random } from '#runtime';
import { GATES, HOT_ROWS, NUMBERS, PARENTS } from './rowless-table.ts';

export const ROWLESS_KINDS = [
  'insert',
  'insert-child',
  'insert-explicit-id',
  'insert-select',
  'insert-ignore',
  'insert-ignore-slow',
  'insert-ignore-select',
  'replace',
  'replace-many',
  'upsert',
  'upsert-slow',
  'load-data',
  'update',
  'delete',
] as const;
export type RowlessKind = (typeof ROWLESS_KINDS)[number];

/** Kinds that can own an id whose row was undone or is still to come. */
export const ROWLESS_DANGEROUS: ReadonlySet<RowlessKind> = new Set<RowlessKind>([
  'insert-ignore',
  'insert-ignore-slow',
  'insert-ignore-select',
  'replace',
  'replace-many',
  'upsert',
  'upsert-slow',
  'load-data',
]);

const LEVELS = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;

export interface StatementPlan {
  readonly kind: RowlessKind;
  /** Rows that are there already, as a rule; in their order, in front of the fresh ones. */
  readonly hot: readonly number[];
  readonly fresh: number;
  /** Gives the first hot row the alias of this one too: one REPLACE then removes two rows. */
  readonly alias: number | null;
  /** The row in the middle waits for these. */
  readonly gate: number | null;
  readonly parent: number | null;
  /** In the trigger. */
  readonly napMs: number | null;
  /** Of an expression, or of the file that is loaded. */
  readonly slowMs: number;
  /** LOAD DATA: replaces duplicates, or ignores them. */
  readonly replaces: boolean;
  /** Milliseconds to rest after it, inside the transaction. */
  readonly pauseMs: number;
  /** A savepoint in front of it, and a ROLLBACK TO behind it. */
  readonly undone: boolean;
  /** Whether the transaction goes on when it fails alone. */
  readonly goesOn: boolean;
}

/** `cut`: the connection goes with its COMMIT under way. `*-elsewhere`: another connection ends it, this one is gone. */
export type RowlessEnd = 'commit' | 'rollback' | 'cut' | 'kill' | 'commit-elsewhere' | 'rollback-elsewhere';

export interface SessionPlan {
  readonly level: (typeof LEVELS)[number];
  readonly increment: number;
  readonly offset: number;
  readonly lockWaitSeconds: number;
}

export interface RowlessPlan {
  readonly mode: 'autocommit' | 'transaction' | 'xa';
  /** Null: as it is. */
  readonly session: SessionPlan | null;
  readonly statements: readonly StatementPlan[];
  readonly end: RowlessEnd;
  /** XA: how long it stays prepared. */
  readonly preparedMs: number;
}

export interface RowlessMix {
  /** Factor on every wait: below 1 where a statement that waits keeps all others from inserting. */
  readonly waits: number;
  /** Factor on waits of statements that hold the AUTO-INC lock while they run. */
  readonly selectWaits: number;
  readonly child: boolean;
  /**
   * When statements come that take the AUTO-INC lock in mode 1. While one of them waits there, every INSERT queues up behind it and
   * holds the lock in its turn, which ends only when nobody inserts: `windows` lets them come for some seconds, then calms down.
   */
  readonly selects: 'always' | 'windows' | 'never';
}

/** As it is for the next transaction. */
export type MixNow = Omit<RowlessMix, 'selects'> & { readonly selects: boolean };

const WEIGHTS: readonly (readonly [RowlessKind, number])[] = [
  ['insert', 10],
  ['insert-child', 3],
  ['insert-explicit-id', 0.5],
  ['insert-select', 4],
  ['insert-ignore', 12],
  ['insert-ignore-slow', 6],
  ['insert-ignore-select', 4],
  ['replace', 14],
  ['replace-many', 12],
  ['upsert', 20],
  ['upsert-slow', 5],
  ['load-data', 4],
  ['update', 3],
  ['delete', 3],
];
const WEIGHT = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);
const BULK_ROWS_MIN = 500;
const BULK_ROWS_MAX = 3_000;

const SELECTS: ReadonlySet<RowlessKind> = new Set<RowlessKind>(['insert-select', 'insert-ignore-select', 'load-data']);
const SLOW: ReadonlySet<RowlessKind> = new Set<RowlessKind>(['insert-ignore-slow', 'upsert-slow']);

const below = (random: Random, count: number): number => Math.floor(random() * count);
const between = (random: Random, min: number, max: number): number => min + below(random, max - min + 1);
const maybe = <T>(random: Random, share: number, value: () => T): T | null => (random() < share ? value() : null);

/** Short as a rule, up to 4 s commonly, now and then longer than any grace. */
export function waitMs(random: Random): number {
  const chance = random();
  if (chance < 0.75) return between(random, 5, 150);
  if (chance < 0.9) return between(random, 150, 1_200);
  if (chance < 0.99) return between(random, 1_200, 4_000);
  return between(random, 5_000, 12_000);
}

function pickKind(random: Random, { child, selects }: MixNow): RowlessKind {
  let at = random() * WEIGHT;
  for (const [kind, weight] of WEIGHTS) {
    at -= weight;
    if (at >= 0) continue;
    if (kind === 'insert-child' && !child) return 'insert';
    return SELECTS.has(kind) && !selects ? 'upsert' : kind;
  }
  return 'upsert';
}

function hotRows(random: Random, count: number): number[] {
  const rows = new Set<number>();
  while (rows.size < count) rows.add(below(random, HOT_ROWS));
  return [...rows];
}

function shapeOf(random: Random, kind: RowlessKind): { readonly hot: number; readonly fresh: number } {
  switch (kind) {
    case 'insert':
      return { hot: 0, fresh: between(random, 1, 5) };
    case 'insert-child':
      return { hot: 0, fresh: 1 };
    case 'insert-explicit-id':
      return { hot: 0, fresh: 3 };
    case 'insert-select':
      return { hot: 0, fresh: between(random, 2, 40) };
    case 'insert-ignore-select':
      return { hot: 1, fresh: between(random, 1, 12) };
    case 'replace':
    case 'update':
    case 'delete':
      return { hot: 1, fresh: 0 };
    case 'load-data':
      return { hot: between(random, 0, 2), fresh: between(random, 1, 30) };
    default:
      // With and without duplicates, and with nothing but duplicates.
      return { hot: between(random, random() < 0.15 ? 0 : 1, 3), fresh: random() < 0.1 ? 0 : between(random, 1, 4) };
  }
}

export function planStatement(random: Random, mix: MixNow): StatementPlan {
  const kind = pickKind(random, mix);
  let { hot, fresh } = shapeOf(random, kind);
  if (hot + fresh === 0) fresh = 1;
  const select = SELECTS.has(kind);
  const wait = (): number => Math.round(waitMs(random) * (select ? mix.selectWaits : mix.waits));
  const isSlow = SLOW.has(kind) || (select && random() < 0.5);
  hot = Math.min(hot, HOT_ROWS);
  return {
    kind,
    hot: hotRows(random, hot),
    fresh,
    alias: maybe(random, 0.15, () => below(random, HOT_ROWS)),
    gate: select ? null : maybe(random, 0.12, () => below(random, GATES)),
    parent: select ? null : maybe(random, 0.2, () => below(random, PARENTS)),
    napMs: select ? null : maybe(random, 0.06, wait),
    slowMs: isSlow ? wait() : 0,
    replaces: random() < 0.5,
    pauseMs: random() < 0.2 ? wait() : 0,
    undone: random() < 0.12,
    goesOn: random() < 0.5,
  };
}

function planSession(random: Random): SessionPlan {
  const chance = random();
  const increment = chance < 0.7 ? 1 : chance < 0.9 ? 3 : 10;
  return {
    level: LEVELS[below(random, LEVELS.length)] as SessionPlan['level'],
    increment,
    offset: between(random, 1, increment),
    lockWaitSeconds: random() < 0.2 ? 2 : 10,
  };
}

function planEnd(random: Random, mode: RowlessPlan['mode']): RowlessEnd {
  const chance = random();
  if (chance < 0.14) return 'rollback';
  if (chance < 0.155) return 'cut';
  if (chance < 0.17) return 'kill';
  if (mode === 'xa' && chance < 0.4) return chance < 0.33 ? 'commit-elsewhere' : 'rollback-elsewhere';
  return 'commit';
}

export function planRowless(random: Random, mix: MixNow): RowlessPlan {
  const chance = random();
  const mode = chance < 0.45 ? 'autocommit' : chance < 0.85 ? 'transaction' : 'xa';
  const session = maybe(random, 0.05, () => planSession(random));
  const count = mode === 'autocommit' ? 1 : between(random, 1, 4);
  const statements = Array.from({ length: count }, () => planStatement(random, mix));
  return {
    mode,
    session,
    statements,
    end: planEnd(random, mode),
    preparedMs: random() < 0.5 ? 0 : Math.round(waitMs(random) * mix.waits),
  };
}

/** Thousands of rows in a statement: most rows of a load come this way. */
export function planBulk(random: Random, { selects }: MixNow): RowlessPlan {
  const chance = random();
  const many = selects ? 'insert-select' : 'insert';
  const kind: RowlessKind = chance < 0.25 ? 'insert' : chance < 0.75 ? many : 'upsert';
  const statement: StatementPlan = {
    kind,
    hot: kind === 'upsert' ? hotRows(random, 1) : [],
    fresh: Math.min(NUMBERS, between(random, BULK_ROWS_MIN, BULK_ROWS_MAX)),
    alias: null,
    gate: null,
    parent: null,
    napMs: null,
    slowMs: 0,
    replaces: false,
    pauseMs: random() < 0.1 ? between(random, 10, 1_000) : 0,
    undone: false,
    goesOn: true,
  };
  return {
    mode: random() < 0.7 ? 'autocommit' : 'transaction',
    session: null,
    statements: [statement],
    end: random() < 0.06 ? 'rollback' : 'commit',
    preparedMs: 0,
  };
}
