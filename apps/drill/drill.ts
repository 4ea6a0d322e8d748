/** Round after round until the time is up or too many have failed. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#runtime';
import { type HistoryWriter, seededRandom } from '#testkit';
import { codeCommit } from '../bench/machine.ts';
import { createChance } from './chance.ts';
import type { Fault } from './fault.ts';
import type { DrillOptions } from './options.ts';
import { Programme } from './programme.ts';
import { type RoundFailure, runRound } from './round.ts';
import type { DrillServers } from './servers.ts';
import { compileAhead } from './slot.ts';
import { openStage } from './stages/open-stage.ts';
import type { Stage, StageName } from './stages/stage.ts';
import type { Statistics } from './statistics.ts';

export type DrillPlan = Pick<
  DrillOptions,
  'minutes' | 'seed' | 'only' | 'rate' | 'keepLogs' | 'failuresMax' | 'roundFaults' | 'roundsMax'
> & {
  readonly faults: readonly Fault[];
  readonly servers: DrillServers;
  /** Folder of the rounds' logs; those of clean rounds are removed unless they are to be kept. */
  readonly logs: string;
  readonly statistics: Statistics;
  readonly history: HistoryWriter | null;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
};

const REASON_MAX = 400;

function commandOf({ minutes, seed, rate, only }: DrillPlan): string {
  const names = only.length === 0 ? '' : ` --only ${only.join(',')}`;
  return `npm run drill -- --minutes ${minutes} --seed ${seed} --rate ${rate}${names}`;
}

/** One fault alone is found again by its name; two at once, or a round's end, only by the whole run. */
function rerunOf(plan: DrillPlan, during: string): string {
  const named = plan.faults.some(({ name }) => name === during);
  return named ? `npm run drill -- --seed ${plan.seed} --only ${during}` : commandOf(plan);
}

function report(plan: DrillPlan, { during, why, logs }: RoundFailure): void {
  const rerun = rerunOf(plan, during);
  plan.statistics.figures.failures.push({ during, why: (why.split('\n')[0] ?? '').slice(0, REASON_MAX), rerun });
  plan.say(`\nFAILED during ${during}: ${why}`);
  plan.say(`logs and state: ${logs}`);
  plan.say(`rerun: ${rerun}\n`);
}

async function onStage(
  { servers, roundFaults, logs }: DrillPlan,
  name: StageName,
  run: (stage: Stage) => Promise<RoundFailure | null>,
): Promise<RoundFailure | null> {
  let stage: Stage;
  try {
    stage = await openStage(name, servers, roundFaults);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { during: `opening the stage ${name}`, why, logs };
  }
  try {
    return await run(stage);
  } finally {
    await stage.close();
  }
}

/** How many rounds have failed. */
export async function drill(plan: DrillPlan): Promise<number> {
  const { seed, statistics, signal, logs } = plan;
  const startedMs = systemClock.nowMs();
  const untilMs = startedMs + plan.minutes * 60_000;
  const chance = createChance(seededRandom(seed));
  const programme = new Programme(plan.faults, chance);
  const say = (text: string) =>
    plan.say(`${((systemClock.nowMs() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`);
  const record = { command: commandOf(plan), seed, minutes: plan.minutes, commit: codeCommit() };
  if (plan.roundsMax > 0) statistics.figures.runs.push(record);
  await compileAhead();
  let failed = 0;
  for (let number = 1; number <= plan.roundsMax; number += 1) {
    if (systemClock.nowMs() >= untilMs || signal.aborted || failed >= plan.failuresMax) break;
    const { stage: name, bag } = programme.next();
    if (name !== 'plain') say(`round ${number} on the stage ${name}`);
    const run = (stage: Stage) =>
      runRound({
        ...{ stage, number, chance, bag, untilMs, logs, statistics, signal, seed, say },
        rowsPerSecond: plan.rate,
        history: plan.history,
      });
    const failure = await onStage(plan, name, run);
    if (failure !== null) {
      failed += 1;
      report(plan, failure);
    } else if (!plan.keepLogs) rmSync(join(logs, `round-${number}`), { recursive: true, force: true });
    statistics.save();
  }
  return failed;
}
