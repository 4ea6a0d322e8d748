/**
 * `doctor`: are the settings of relay, database, Kafka and Redis such that the guarantees hold? Each thing is fine, risky or
 * broken, with what mends it. Changes nothing but for a Kafka transaction of its own that it aborts.
 */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '#runtime';
import { type Diagnosis, examine, type Finding } from '../wiring/doctor/examine.ts';
import type { Verdict } from '../wiring/doctor/finding.ts';
import type { Cli } from './cli.ts';
import { refuseSqlite, withDatabase } from './connect.ts';
import { toJson } from './render-table.ts';

const SHOWN: Readonly<Record<Verdict, string>> = {
  fine: 'fine   ',
  risky: 'RISKY  ',
  broken: 'BROKEN ',
  unknown: 'unknown',
};

const ENDINGS = `
Exit codes: 0 nothing is broken, 1 something is, 3 a server could not be reached (what could be looked at is shown).
docs/operations.md lists the checks, docs/guarantees.md says what hangs on them.`;

export function addDoctor(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description('check the settings that the guarantees need, and say what mends what is wrong')
    .option('--json', 'print JSON')
    .addHelpText('after', ENDINGS)
    .action(async (options: { readonly json?: boolean }) => cli.end(await doctor(cli, options.json ?? false)));
}

async function doctor(cli: Cli, json: boolean): Promise<ExitCode> {
  const loaded = cli.load();
  refuseSqlite(loaded.config, 'doctor');
  const diagnosis = await examine({ loaded, withDatabase: (work) => withDatabase(loaded.config, work) });
  if (json) cli.print(toJson(diagnosis));
  else for (const line of render(diagnosis)) cli.print(line);
  if (diagnosis.away.length > 0) return EXIT.unreachable;
  return diagnosis.counts.broken > 0 ? EXIT.checkFailed : EXIT.done;
}

function render({ findings, away, counts }: Diagnosis): readonly string[] {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const { fine, risky, broken, unknown } = counts;
  const unseen = unknown === 0 ? '' : `, ${unknown} not to be seen`;
  return [
    ...away.map(({ server, why }) => `AWAY    ${server}: ${why}`),
    ...findings.flatMap((finding) => renderFinding(finding, width)),
    `${fine} fine, ${risky} risky, ${broken} broken${unseen}`,
  ];
}

function renderFinding({ check, about, verdict, says, mend }: Finding, width: number): readonly string[] {
  const what = about === '' ? says : `${about}: ${says}`;
  const line = `${SHOWN[verdict]} ${check.padEnd(width)}  ${what}`;
  return mend === null ? [line] : [line, `${' '.repeat(SHOWN.fine.length)} ${''.padEnd(width)}  -> ${mend}`];
}
