/**
 * `npm run drill`: breaks a running deployment for as long as told, fault by fault as the seed says, and checks that every
 * committed row arrives once and in order. Exit code 1 when something was found; its logs are then kept.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, type ExitCode, systemClock } from '#runtime';
import { interruption, seededRandom } from '#testkit';
import { createChance } from './chance.ts';
import type { Fault } from './fault.ts';
import { FaultBag } from './fault-bag.ts';
import { FAULTS } from './faults/index.ts';
import { type DrillOptions, parseOptions } from './options.ts';
import { summary } from './report.ts';
import { type RoundFailure, runRound } from './round.ts';
import { type DrillServers, startServers } from './servers.ts';
import { Statistics } from './statistics.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function chooseFaults(only: readonly string[]): readonly Fault[] {
  const unknown = only.find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown !== undefined) throw new RangeError(`there is no fault ${unknown}; --list names them all`);
  return only.length === 0 ? FAULTS : FAULTS.filter(({ name }) => only.includes(name));
}

function report(failure: RoundFailure, options: DrillOptions): void {
  const { seed, rate } = options;
  const names = failure.during.includes(' ') ? [] : [` --only ${failure.during}`];
  say(`\nFAILED during ${failure.during}: ${failure.why}`);
  say(`logs and state: ${failure.logs}`);
  say(`rerun: npm run drill -- --minutes ${options.minutes} --seed ${seed} --rate ${rate}${names.join('')}\n`);
}

async function drill(
  options: DrillOptions,
  faults: readonly Fault[],
  servers: DrillServers,
  logs: string,
  signal: AbortSignal,
): Promise<ExitCode> {
  const startedMs = systemClock.nowMs();
  const untilMs = startedMs + options.minutes * 60_000;
  const statistics = new Statistics();
  const failures: RoundFailure[] = [];
  const chance = createChance(seededRandom(options.seed));
  const bag = new FaultBag(faults, chance);
  const stamped = (text: string) =>
    say(`${((systemClock.nowMs() - startedMs) / 1_000).toFixed(1).padStart(7)} s  ${text}`);
  for (let number = 1; systemClock.nowMs() < untilMs && !signal.aborted; number += 1) {
    const failure = await runRound({
      ...{ servers, number, chance, bag, untilMs, logs, statistics, signal, seed: options.seed, say: stamped },
      rowsPerSecond: options.rate,
      faultsMax: options.roundFaults,
    });
    if (failure === null) {
      if (!options.keepLogs) rmSync(join(logs, `round-${number}`), { recursive: true, force: true });
      continue;
    }
    failures.push(failure);
    report(failure, options);
    if (failures.length >= options.failuresMax) break;
  }
  say(summary(statistics, failures.length));
  return failures.length === 0 && !signal.aborted ? EXIT.done : EXIT.checkFailed;
}

async function main(): Promise<ExitCode> {
  const options = parseOptions(process.argv.slice(2));
  let faults: readonly Fault[];
  try {
    faults = chooseFaults(options.only);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return EXIT.usage;
  }
  if (options.list) {
    for (const { name, what } of faults) say(`${name.padEnd(34)} ${what}`);
    return EXIT.done;
  }
  const signal = interruption(EXIT.checkFailed);
  const logs = mkdtempSync(join(tmpdir(), 'krs-drill-'));
  mkdirSync(logs, { recursive: true });
  say(`seed ${options.seed}, ${faults.length} kinds of faults, ${options.minutes} minutes; logs in ${logs}`);
  const servers = await startServers().catch((error: unknown) => {
    process.stderr.write(`the servers did not start: ${error instanceof Error ? error.message : error}\n`);
    return null;
  });
  if (servers === null) return EXIT.unreachable;
  try {
    return await drill(options, faults, servers, logs, signal);
  } finally {
    await servers.stop();
  }
}

process.exit(await main());
