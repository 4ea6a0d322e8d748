/**
 * `npm run drill`: breaks a running deployment for as long as told, fault by fault as the seed says, and checks that every
 * committed row arrives once and in order. Exit code 1 when something was found; its logs are then kept.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, type ExitCode } from '#runtime';
import { HistoryWriter, interruption } from '#testkit';
import { describeMachine } from '../bench/machine.ts';
import { drill } from './drill.ts';
import { FAULTS, namedFaults } from './faults/index.ts';
import { parseOptions } from './options.ts';
import { summary } from './report.ts';
import { startServers } from './servers.ts';
import { Statistics } from './statistics.ts';
import { writeReport } from './write-report.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const complain = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<ExitCode> {
  const options = parseOptions(process.argv.slice(2));
  const unknown = options.only.find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown !== undefined) {
    complain(`there is no fault ${unknown}; --list names them all`);
    return EXIT.usage;
  }
  const faults = namedFaults(options.only);
  if (options.list) {
    for (const { name, what } of faults) say(`${name.padEnd(34)} ${what}`);
    return EXIT.done;
  }
  const signal = interruption(EXIT.checkFailed);
  const logs = mkdtempSync(join(tmpdir(), 'krs-drill-'));
  say(`seed ${options.seed}, ${faults.length} kinds of faults, ${options.minutes} minutes; logs in ${logs}`);
  const servers = await startServers().catch((error: unknown) => {
    complain(`the servers did not start: ${error instanceof Error ? error.message : error}`);
    return null;
  });
  if (servers === null) return EXIT.unreachable;
  const statistics = new Statistics(options.addTo);
  for (const file of options.with) statistics.add(file);
  const history = options.history === null ? null : new HistoryWriter(options.history);
  try {
    const failed = await drill({ ...options, faults, servers, logs, statistics, history, signal, say });
    say(summary(statistics));
    if (statistics.totals.injected === 0) {
      complain('no fault was injected, so nothing was shown: give it more --minutes');
      return EXIT.checkFailed;
    }
    if (options.write) {
      const machine = await describeMachine({
        ...servers,
        database: servers.mariadb,
        redisUrl: servers.redis.url,
      });
      say(`written: ${writeReport(statistics.figures, machine)}`);
    }
    return failed === 0 && !signal.aborted ? EXIT.done : EXIT.checkFailed;
  } finally {
    history?.close();
    await servers.stop();
  }
}

process.exit(await main());
