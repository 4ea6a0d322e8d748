/** Cuts a failing scenario down: whatever can go while it still breaks a promise is not what breaks it. */
import type { Scenario, Transaction } from './scenario.ts';
import { type Outcome, type SimulateOptions, simulate } from './simulate.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly outcome: Outcome;
  readonly runs: number;
}

/** Runs spent on looking for a smaller scenario. */
const RUNS_MAX = 400;

type Candidates = (scenario: Scenario) => Scenario[];

const without = <T>(things: readonly T[], at: number, count = 1): T[] => [
  ...things.slice(0, at),
  ...things.slice(at + count),
];

/** Ever smaller pieces: half, a quarter, single things. */
function pieces<T>(things: readonly T[], build: (left: readonly T[]) => Scenario): Scenario[] {
  const found: Scenario[] = [];
  for (let size = Math.ceil(things.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < things.length; at += size) found.push(build(without(things, at, size)));
  }
  return found;
}

const fewerRows = (transaction: Transaction): Transaction[] =>
  transaction.statements.flatMap((statement, at) =>
    statement.rows.length < 2
      ? []
      : [
          {
            ...transaction,
            statements: transaction.statements.map((other, place) =>
              place === at ? { ...other, rows: other.rows.slice(0, Math.ceil(other.rows.length / 2)) } : other,
            ),
          },
        ],
  );

const CUTS: readonly Candidates[] = [
  (scenario) => pieces(scenario.faults, (faults) => ({ ...scenario, faults })),
  (scenario) => pieces(scenario.world, (world) => ({ ...scenario, world })),
  (scenario) => pieces(scenario.restarts, (restarts) => ({ ...scenario, restarts })),
  (scenario) => pieces(scenario.transactions, (transactions) => ({ ...scenario, transactions })),
  (scenario) => (scenario.faultChance > 0 ? [{ ...scenario, faultChance: 0 }] : []),
  (scenario) => (scenario.ringLoss > 0 ? [{ ...scenario, ringLoss: 0 }] : []),
  (scenario) => (scenario.senders.length > 1 ? [{ ...scenario, senders: scenario.senders.slice(0, -1) }] : []),
  (scenario) => (scenario.writers.length > 1 ? [{ ...scenario, writers: scenario.writers.slice(0, -1) }] : []),
  (scenario) =>
    scenario.transactions.flatMap((transaction, at) =>
      fewerRows(transaction).map((smaller) => ({
        ...scenario,
        transactions: scenario.transactions.map((other, place) => (place === at ? smaller : other)),
      })),
    ),
];

/** Greedy, round after round until nothing more can go. Any promise broken counts, not only the one broken first. */
export async function shrink(scenario: Scenario, outcome: Outcome, options: SimulateOptions = {}): Promise<Shrunk> {
  let best = { scenario, outcome };
  let runs = 0;
  for (let smaller = true; smaller && runs < RUNS_MAX; ) {
    smaller = false;
    for (const cut of CUTS) {
      for (let retry = true; retry && runs < RUNS_MAX; ) {
        retry = false;
        for (const candidate of cut(best.scenario)) {
          if (runs >= RUNS_MAX) break;
          runs += 1;
          const found = await simulate(candidate, options);
          if (found.violation === null) continue;
          best = { scenario: candidate, outcome: found };
          smaller = retry = true;
          break;
        }
      }
    }
  }
  return { ...best, runs };
}
