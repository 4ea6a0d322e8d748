/** `dead-letters list|show|retry|drop`: rows that Kafka refused, first of all those whose attempts are spent. */
import type { Command } from 'commander';
import type { DeadLetter } from '#outbox-storage';
import { RelayError } from '#runtime';
import type { Operator } from '../wiring/operator.ts';
import type { Cli } from './cli.ts';
import { withOperator } from './connect.ts';
import { integerBetween } from './parse-arguments.ts';
import { renderTable, toJson } from './render-table.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 100_000;
const ERROR_SHOWN_MAX = 80;

interface ListOptions {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly limit: number;
}

const outboxId = integerBetween(1, Number.MAX_SAFE_INTEGER);

export function addDeadLetters(program: Command, cli: Cli): void {
  const letters = program.command('dead-letters').description('look at rows that were given up, retry or drop them');
  letters
    .command('list')
    .description('list the rows given up, without their payload')
    .option('--json', 'print JSON')
    .option('--all', 'also rows that are still being tried, and rows that wait behind their keys')
    .option('--limit <rows>', 'rows at most', integerBetween(1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((options: ListOptions) => list(cli, options));
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
    .description('delete a refused row for good, given up or not: it is never delivered')
    .argument('<id>', 'outbox id', outboxId)
    .option('--yes', 'yes, delete it')
    .action((id: number, options: { readonly yes?: boolean }) => drop(cli, id, options.yes ?? false));
}

async function withLetters<T>(cli: Cli, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { config } = cli.load({ needs: ['database'] });
  return withOperator(config, async (operator) => {
    await operator.checkSchema();
    return work(operator);
  });
}

const noSuchRow = (id: number): RelayError =>
  new RelayError('CONFIG_INVALID', `there is no row ${id} among those set aside; dead-letters list --all shows them`);

/** What is shown of a row in a list: all but its payload. */
const brief = ({ value: _value, key, ...letter }: DeadLetter) => ({ ...letter, key: key?.toString('utf8') ?? null });

async function list(cli: Cli, options: ListOptions): Promise<void> {
  await withLetters(cli, async (operator) => {
    const all = options.all ?? false;
    const found = await operator.listDeadLetters({ rowsMax: options.limit + 1, all });
    const letters = found.slice(0, options.limit).map(brief);
    if (found.length > options.limit) cli.note(`there are more: give --limit above ${options.limit}`);
    if (options.json) {
      cli.print(toJson(letters));
      return;
    }
    const rows = letters.map((letter) => [
      letter.id,
      letter.lane,
      letter.eventId,
      letter.topic,
      letter.key,
      letter.state,
      letter.attempts,
      letter.lastAt.slice(0, 'yyyy-mm-dd hh:mm:ss'.length),
      letter.error.slice(0, ERROR_SHOWN_MAX),
    ]);
    const headings = ['ID', 'LANE', 'EVENT', 'TOPIC', 'KEY', 'STATE', 'ATTEMPTS', 'LAST TRIED (UTC)', 'WHY'];
    for (const line of renderTable(headings, rows)) cli.print(line);
  });
}

/** Any row set aside. Throws CONFIG_INVALID when there is none with this id. */
async function findAside(operator: Operator, id: number): Promise<DeadLetter> {
  const [letter] = await operator.listDeadLetters({ rowsMax: 1, after: id - 1, all: true });
  if (letter?.id !== id) throw noSuchRow(id);
  return letter;
}

async function show(cli: Cli, id: number): Promise<void> {
  await withLetters(cli, async (operator) => {
    const letter = await findAside(operator, id);
    cli.print(toJson({ ...brief(letter), value: letter.value?.toString('utf8') ?? null }));
  });
}

async function retry(cli: Cli, id: number): Promise<void> {
  await withLetters(cli, async (operator) => {
    const { lane, state } = await findAside(operator, id);
    if (!(await operator.requeueDead(id))) {
      throw new RelayError('CONFIG_INVALID', `row ${id} is not given up (${state}): it is tried again by itself`);
    }
    cli.print(`row ${id} will be tried again; if later rows of its key were delivered, it arrives after them`);
    await noteHalted(cli, operator, lane);
  });
}

async function drop(cli: Cli, id: number, sure: boolean): Promise<void> {
  if (!sure) {
    throw new RelayError(
      'CONFIG_INVALID',
      `row ${id} would never be delivered, and verify would miss it: add --yes if that is meant`,
    );
  }
  await withLetters(cli, async (operator) => {
    const { lane, state, attempts } = await findAside(operator, id);
    if (!(await operator.dropDead(id))) {
      const why =
        state === 'parked' && attempts === 0
          ? 'waits behind an earlier row of its key and was never refused: drop that one'
          : 'is being sent just now: try again in a moment';
      throw new RelayError('CONFIG_INVALID', `row ${id} ${why}`);
    }
    cli.print(`row ${id} was dropped`);
    await noteHalted(cli, operator, lane);
  });
}

/** A lane that was halted over the row goes on by the operator's word only. */
async function noteHalted(cli: Cli, operator: Operator, lane: number): Promise<void> {
  const lanes = await operator.listLanes();
  if (lanes.find((each) => each.lane === lane)?.state !== 'halted') return;
  cli.note(`lane ${lane} is halted: kafka-row-sender lane resume ${lane} lets it go on`);
}
