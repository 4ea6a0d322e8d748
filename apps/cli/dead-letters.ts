/** `dead-letters list|show|retry|drop`: rows that Kafka refused until their attempts were spent. */
import type { Command } from 'commander';
import type { Config } from '#config';
import type { Pool } from '#database';
import { checkSchema, type DeadLetter, dropDead, listDeadLetters, requeueDead } from '#outbox-storage';
import { RelayError } from '#runtime';
import type { Cli } from './cli.ts';
import { withDatabase } from './connect.ts';
import { integerBetween } from './parse-arguments.ts';
import { renderTable, toJson } from './render-table.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 100_000;
const ERROR_SHOWN_MAX = 80;

const outboxId = integerBetween(1, Number.MAX_SAFE_INTEGER);

export function addDeadLetters(program: Command, cli: Cli): void {
  const letters = program.command('dead-letters').description('look at rows that were given up, retry or drop them');
  letters
    .command('list')
    .description('list the rows given up, without their payload')
    .option('--json', 'print JSON')
    .option('--limit <rows>', 'rows at most', integerBetween(1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((options: { readonly json?: boolean; readonly limit: number }) => list(cli, options));
  letters
    .command('show')
    .description('show one row: why it was refused, its headers, and its value')
    .argument('<id>', 'outbox id', outboxId)
    .action((id: number) => show(cli, id));
  letters
    .command('retry')
    .description('try a row again, from its first attempt')
    .argument('<id>', 'outbox id', outboxId)
    .action((id: number) => retry(cli, id));
  letters
    .command('drop')
    .description('delete a row for good: it is never delivered')
    .argument('<id>', 'outbox id', outboxId)
    .option('--yes', 'yes, delete it')
    .action((id: number, options: { readonly yes?: boolean }) => drop(cli, id, options.yes ?? false));
}

async function withLetters<T>(cli: Cli, work: (config: Config, pool: Pool) => Promise<T>): Promise<T> {
  const { config } = cli.load({ needs: ['database'] });
  return withDatabase(config, async (pool) => {
    await checkSchema(pool, config.tables);
    return work(config, pool);
  });
}

const noSuchRow = (id: number): RelayError =>
  new RelayError('CONFIG_INVALID', `there is no row ${id} among the dead letters`);

/** What is shown of a row in a list: all but its payload. */
const brief = ({ value: _value, key, ...letter }: DeadLetter) => ({ ...letter, key: key?.toString('utf8') ?? null });

async function list(cli: Cli, options: { readonly json?: boolean; readonly limit: number }): Promise<void> {
  await withLetters(cli, async (config, pool) => {
    const found = await listDeadLetters(pool, config.tables, options.limit + 1);
    const letters = found.slice(0, options.limit).map(brief);
    if (found.length > options.limit) cli.note(`there are more: give --limit above ${options.limit}`);
    if (options.json) {
      cli.print(toJson(letters));
      return;
    }
    const rows = letters.map((letter) => [
      letter.id,
      letter.eventId,
      letter.topic,
      letter.key,
      letter.state,
      letter.attempts,
      letter.lastAt.slice(0, 'yyyy-mm-dd hh:mm:ss'.length),
      letter.error.slice(0, ERROR_SHOWN_MAX),
    ]);
    const headings = ['ID', 'EVENT', 'TOPIC', 'KEY', 'STATE', 'ATTEMPTS', 'LAST TRIED (UTC)', 'WHY'];
    for (const line of renderTable(headings, rows)) cli.print(line);
  });
}

async function show(cli: Cli, id: number): Promise<void> {
  await withLetters(cli, async (config, pool) => {
    const [letter] = await listDeadLetters(pool, config.tables, 1, id - 1);
    if (letter?.id !== id) throw noSuchRow(id);
    cli.print(toJson({ ...brief(letter), value: letter.value?.toString('utf8') ?? null }));
  });
}

async function retry(cli: Cli, id: number): Promise<void> {
  await withLetters(cli, async (config, pool) => {
    if (!(await requeueDead(pool, config.tables, id))) throw noSuchRow(id);
    cli.print(`row ${id} will be tried again; if later rows of its key were delivered, it arrives after them`);
  });
}

async function drop(cli: Cli, id: number, sure: boolean): Promise<void> {
  if (!sure) {
    throw new RelayError(
      'CONFIG_INVALID',
      `row ${id} would never be delivered, and verify would miss it: add --yes if that is meant`,
    );
  }
  await withLetters(cli, async (config, pool) => {
    if (!(await dropDead(pool, config.tables, id))) throw noSuchRow(id);
    cli.print(`row ${id} was dropped`);
  });
}
