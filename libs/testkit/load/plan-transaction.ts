/** What the next transaction of a load does: pure, from chance that can be run again. */
import type { Random } from '#runtime';
import { type HotPlan, planHot } from './hot-rows.ts';

/** Shares are probabilities of one transaction, in [0, 1]. */
export interface LoadMix {
  readonly rollbackShare: number;
  /** One statement of up to `bulkRowsMax` rows. */
  readonly bulkShare: number;
  readonly bulkRowsMax: number;
  /** One to `singleRowsMax` statements of a row each, unless it is a bulk insert. */
  readonly singleRowsMax: number;
  /** Rests between its statements, so that its ids become visible after higher ones. */
  readonly pauseShare: number;
  readonly pauseMsMax: number;
  /** A few rest much longer. */
  readonly longPauseShare: number;
  readonly longPauseMsMax: number;
  /** Begins with a statement on a hot row, whose ids have no rows while it waits. Needs the column of hot rows. */
  readonly hotShare: number;
  /** Inserts rows and undoes them by ROLLBACK TO a savepoint: their ids stay without rows, though the transaction may commit. */
  readonly undoneShare: number;
}

export const USUAL_MIX: LoadMix = {
  rollbackShare: 0.15,
  bulkShare: 0.03,
  bulkRowsMax: 2_000,
  singleRowsMax: 5,
  pauseShare: 0.15,
  pauseMsMax: 250,
  longPauseShare: 0.003,
  longPauseMsMax: 3_000,
  hotShare: 0,
  undoneShare: 0,
};

export interface TransactionPlan {
  /** Rows of each statement, in order. */
  readonly statements: readonly number[];
  /** After the first statement, with its ids taken and nothing committed. */
  readonly pauseMs: number;
  readonly commits: boolean;
  /** The first statement's rows come behind this duplicate, or behind its replacement; null: as they are. */
  readonly hot: HotPlan | null;
  /** Rows inserted and undone after the first statement. */
  readonly undone: number;
}

const UNDONE_ROWS_MAX = 3;

const upTo = (random: Random, max: number): number => 1 + Math.floor(random() * max);

export function planTransaction(random: Random, mix: LoadMix): TransactionPlan {
  const bulk = random() < mix.bulkShare;
  const statements = bulk
    ? [upTo(random, mix.bulkRowsMax)]
    : Array.from({ length: upTo(random, mix.singleRowsMax) }, () => 1);
  const chance = random();
  let pauseMs = 0;
  if (chance < mix.longPauseShare) pauseMs = upTo(random, mix.longPauseMsMax);
  else if (chance < mix.longPauseShare + mix.pauseShare) pauseMs = upTo(random, mix.pauseMsMax);
  const commits = random() >= mix.rollbackShare;
  const hot = mix.hotShare > 0 && !bulk && random() < mix.hotShare ? planHot(random) : null;
  const undone = mix.undoneShare > 0 && random() < mix.undoneShare ? upTo(random, UNDONE_ROWS_MAX) : 0;
  // An ordinary row on top: its id is known, and decides a commit whose answer was lost.
  return { statements: hot === null ? statements : [...statements, 1], pauseMs, commits, hot, undone };
}
