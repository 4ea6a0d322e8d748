/** `verify`: is every row of the source in its topic once, and in order per key? */
import cliProgress from 'cli-progress';
import type { Command } from 'commander';
import type { Config } from '#config';
import { checkSchema } from '#outbox-storage';
import { EXIT, type ExitCode } from '#runtime';
import { type Finding, type SourceCheck, summaryLine } from '#verification';
import { untilFileDrained } from '../sqlite/until-file-drained.ts';
import { verifySqlite } from '../sqlite/verify-sqlite.ts';
import { type VerifyDeliveryResult, type VerifyProgress, verifyDelivery } from '../wiring/verify-delivery.ts';
import { type WaitUntilDrainedOptions, waitUntilDrained } from '../wiring/wait-until-drained.ts';
import type { Cli } from './cli.ts';
import { reachKafka, refuseSqlite, withDatabase, withSqliteFile } from './connect.ts';
import { secondsAsMs } from './parse-arguments.ts';
import { toJson } from './render-table.ts';
import { verifyInBackground } from './verify-background.ts';

interface VerifyOptions {
  readonly json?: boolean;
  readonly background?: boolean;
  readonly source?: readonly string[];
  readonly wait: number;
  readonly topic?: readonly string[];
}

export function addVerify(program: Command, cli: Cli): void {
  program
    .command('verify')
    .description('compare the topics with the sources: missing, duplicated, out of order per key')
    .option('--json', 'print JSON')
    .option('--source <name...>', 'only these sources (default: all)')
    .option('--topic <name...>', 'further topics to read, for an SQLite file')
    .option('--background', 'let a sender do it, beside its work; the result goes to its log')
    .option('--wait <seconds>', 'first wait so long until everything is delivered', secondsAsMs, 0)
    .action(async (options: VerifyOptions) => cli.end(await verify(cli, options)));
}

async function verify(cli: Cli, options: VerifyOptions): Promise<ExitCode> {
  const { config } = cli.load();
  if (config.sqlite !== null) return verifyFile(cli, config, options);
  if (options.background === true) return verifyInBackground(cli, config, options.source ?? []);
  const kafka = await reachKafka(config);
  return withDatabase(config, async (pool) => {
    await checkSchema(pool, config.tables);
    const only = options.source ?? [];
    const late =
      options.wait > 0 ? await waitForDelivery(cli, { config, pool, only, deadlineMs: options.wait }) : false;
    const bar = startBar();
    try {
      const result = await verifyDelivery({ config, pool, kafka, only, onProgress: bar.show });
      bar.stop();
      report(cli, result, options.json ?? false);
      return result.totals.passed && !late ? EXIT.done : EXIT.checkFailed;
    } finally {
      bar.stop();
    }
  });
}

async function verifyFile(cli: Cli, config: Config, options: VerifyOptions): Promise<ExitCode> {
  if (options.background === true) refuseSqlite(config, 'verify --background');
  const kafka = await reachKafka(config);
  return withSqliteFile(config, async (file) => {
    const watched = { file, config, only: options.source ?? [] };
    const why = options.wait > 0 ? await untilFileDrained({ ...watched, deadlineMs: options.wait }) : null;
    if (why !== null) cli.note(`still not delivered after ${options.wait / 1000} s: ${why}`);
    const bar = startBar();
    try {
      const result = await verifySqlite({ ...watched, topics: options.topic ?? [], kafka, onProgress: bar.show });
      bar.stop();
      report(cli, result, options.json ?? false);
      return result.totals.passed && why === null ? EXIT.done : EXIT.checkFailed;
    } finally {
      bar.stop();
    }
  });
}

/** True when something of what was there at the start is still not delivered. */
async function waitForDelivery(cli: Cli, options: WaitUntilDrainedOptions): Promise<boolean> {
  const { drained, why } = await waitUntilDrained(options);
  if (!drained) cli.note(`still not delivered after ${options.deadlineMs / 1000} s: ${why}`);
  return !drained;
}

/** On a terminal only, and on standard error: the result alone is on standard output. */
function startBar(): { show: (progress: VerifyProgress) => void; stop: () => void } {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar({
    format: '{what} [{bar}] {percentage}% {value} of {total}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { what: 'records' });
  return {
    show: ({ what, done, total }) => {
      bar.setTotal(Math.max(total, 1));
      bar.update(done, { what: what.padEnd('records'.length) });
    },
    stop: () => bar.stop(),
  };
}

function report(cli: Cli, result: VerifyDeliveryResult, json: boolean): void {
  if (json) {
    cli.print(toJson(result));
    return;
  }
  for (const note of result.notes) cli.note(`note: ${note}`);
  for (const check of result.sources) reportSource(cli, check);
  cli.print(summaryLine(result.totals));
}

function reportSource(cli: Cli, check: SourceCheck): void {
  const { source, pending, withoutRow } = check;
  reportFinding(cli, `${source}: missing`, check.missing);
  reportFinding(cli, `${source}: duplicated`, check.duplicated);
  reportFinding(cli, `${source}: out of order`, check.outOfOrder);
  reportFinding(cli, `${source}: in the dead letters, not delivered`, check.dead);
  if (pending > 0) cli.print(`${source}: pending ${pending} (not moved yet, in the outbox, or waiting for a retry)`);
  if (withoutRow > 0) cli.print(`${source}: ${withoutRow} delivered rows are not in the table any more`);
}

function reportFinding(cli: Cli, what: string, { count, examples }: Finding): void {
  if (count === 0) return;
  cli.print(`${what} ${count}${count > examples.length ? `, the first ${examples.length}:` : ':'}`);
  for (const { id, key, at, note } of examples) {
    const facts = [`key ${key === null ? 'null' : JSON.stringify(key)}`, at === null ? null : `at ${at}`, note];
    cli.print(`  ${id}  ${facts.filter((fact) => fact !== null).join(', ')}`);
  }
}
