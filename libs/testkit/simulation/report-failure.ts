/** What a developer needs to understand a failing seed: the promise, the smallest scenario, what happened, how to rerun it. */
import { scenarioOf } from './draw-scenario.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';

const TRACE_LINES = 400;

export const rerunLine = (seed: number): string => `npm run simulate -- --seeds 1 --from ${seed}`;

/** Runs the seed again, cuts it down and runs what is left with a trace. */
export async function reportFailure(seed: number): Promise<string> {
  const scenario = scenarioOf(seed);
  const outcome = await simulate(scenario);
  if (outcome.violation === null) return `seed ${seed} failed once and holds now: chance from outside got in`;
  const shrunk = await shrink(scenario, outcome);
  const { violation, trace } = await simulate(shrunk.scenario, { traceLines: TRACE_LINES });
  return [
    `seed ${seed} breaks ${outcome.violation.message}`,
    `shrunk in ${shrunk.runs} runs, breaks ${violation?.message ?? 'nothing any more'}:`,
    ...describe(shrunk.scenario),
    `the last ${TRACE_LINES} steps:`,
    ...trace.slice(-TRACE_LINES),
    `rerun: ${rerunLine(seed)}`,
  ].join('\n');
}

function describe({ transactions, faults, world, restarts, ...rest }: Scenario): string[] {
  const lines = [JSON.stringify(rest)];
  for (const fault of faults) lines.push(`  fault ${JSON.stringify(fault)}`);
  for (const fault of world) lines.push(`  world ${JSON.stringify(fault)}`);
  for (const restart of restarts) lines.push(`  restart ${JSON.stringify(restart)}`);
  for (const transaction of transactions) lines.push(`  transaction ${JSON.stringify(transaction)}`);
  return lines;
}
