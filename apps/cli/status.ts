/** `status`: where every source and lane stands. Works while Kafka or Redis are away and says so; needs the database. */
import type { Command } from 'commander';
import type { Config } from '#config';
import { systemClock } from '#runtime';
import { sqliteOperator } from '../sqlite/sqlite-operator.ts';
import { tablesOfFile } from '../sqlite/tables-of-file.ts';
import { type Operator, poolOperator } from '../wiring/operator.ts';
import { electedOf, type ReadStatusOptions, readStatus, tablesOf, transactionsOf } from '../wiring/read-status.ts';
import type { Cli } from './cli.ts';
import { reachKafka, withDatabase, withSqliteFile } from './connect.ts';
import { secondsAsMs } from './parse-arguments.ts';
import { pingRedis } from './ping-redis.ts';
import { renderStatus } from './render-status.ts';
import { toJson } from './render-table.ts';

interface StatusOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly every: number;
}

const EVERY_MS = 2_000;
const EVERY_MS_MIN = 200;
/** Cursor to the top left and everything below it erased: the screen does not flicker as with a full clear. */
const HOME = '\u001b[H\u001b[J';

export function addStatus(program: Command, cli: Cli): void {
  program
    .command('status')
    .description('show sources, leaders, watermarks, gaps, lanes, holders and backlog')
    .option('--json', 'print JSON')
    .option('--watch', 'again and again until interrupted')
    .option('--every <seconds>', 'pause between two looks of --watch', secondsAsMs, EVERY_MS)
    .action((options: StatusOptions) => status(cli, options));
}

async function status(cli: Cli, options: StatusOptions): Promise<void> {
  const { config } = cli.load();
  if (config.sqlite === null) {
    await withDatabase(config, (pool) => {
      const look = {
        lookAtTable: tablesOf(pool),
        listTransactions: transactionsOf(pool),
        whoElected: electedOf(pool, config),
      };
      return show(cli, options, config, poolOperator(pool, config), look);
    });
    return;
  }
  await withSqliteFile(config, async (file) => {
    await show(cli, options, config, await sqliteOperator(file, config), { lookAtTable: tablesOfFile(file) });
  });
}

async function show(
  cli: Cli,
  options: StatusOptions,
  config: Config,
  operator: Operator,
  look: Pick<ReadStatusOptions, 'lookAtTable' | 'listTransactions' | 'whoElected'>,
): Promise<void> {
  await operator.checkSchema();
  const kafka = () => reachKafka(operator.kafkaConfig);
  for (;;) {
    const found = await readStatus({ config, operator, ...look, kafka, redis: pingRedis });
    const text = options.json ? toJson(found) : renderStatus(found).join('\n');
    cli.print(options.watch && process.stdout.isTTY ? `${HOME}${text}` : text);
    if (!options.watch) return;
    await systemClock.sleep(Math.max(EVERY_MS_MIN, options.every));
  }
}
