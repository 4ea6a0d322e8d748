/** `dlt list|show|redrive`: dead-letter topics of the retriable consumer. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type DeadLetter, type LetterFilter, matches, readDeadLetters, redriveDeadLetters } from '#dead-letters';
import { EXIT, type ExitCode, RelayError, silentLogger } from '#runtime';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import type { Cli } from './cli.ts';
import { reachKafka } from './connect.ts';
import { integerBetween } from './parse-arguments.ts';
import { renderTable, toJson } from './render-table.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000_000;
const RATE_MAX = 1_000_000;
const ERROR_SHOWN_MAX = 60;
const OFFSET_MAX = 2 ** 53 - 1;

interface FilterOptions {
  readonly fromTopic?: string;
  readonly key?: string;
  readonly errorClass?: string;
  readonly reason?: string;
  readonly since?: number;
  readonly until?: number;
  readonly partition?: number;
  readonly fromOffset?: number;
  readonly toOffset?: number;
  readonly all?: boolean;
}

interface ListOptions extends FilterOptions {
  readonly json?: boolean;
  readonly limit: number;
}

interface RedriveCliOptions extends FilterOptions {
  readonly json?: boolean;
  readonly limit?: number;
  readonly to?: string;
  readonly rate?: number;
  readonly dryRun?: boolean;
}

function timeMs(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError('Give a time as 2026-11-21T19:30:00Z.');
}

function place(text: string): { readonly partition: number; readonly offset: bigint } {
  const [, partition, offset] = /^(\d{1,9})\/(\d{1,18})$/.exec(text) ?? [];
  if (partition !== undefined && offset !== undefined) return { partition: Number(partition), offset: BigInt(offset) };
  throw new InvalidArgumentError('Give partition/offset, as `dlt list` prints it: 0/42.');
}

function withFilters(command: Command): Command {
  return command
    .option('--from-topic <topic>', 'only messages that were first in this topic')
    .option('--key <key>', 'only messages with this key')
    .option('--error-class <name>', 'only this class of error, TypeError for example')
    .option('--reason <reason>', 'only this reason, out-of-attempts for example')
    .option('--since <time>', 'only those that died at this time (ISO 8601) or later', timeMs)
    .option('--until <time>', 'only those that died before', timeMs)
    .option('--partition <number>', 'only this partition of the dead-letter topic', integerBetween(0, 999_999_999))
    .option('--from-offset <offset>', 'only from this offset of the dead-letter topic', integerBetween(0, OFFSET_MAX))
    .option('--to-offset <offset>', 'only up to and with this offset', integerBetween(0, OFFSET_MAX))
    .addOption(new Option('--json', 'print JSON'));
}

export function addDlt(program: Command, cli: Cli): void {
  const dlt = program
    .command('dlt')
    .description('look at dead-letter topics of the retriable consumer, send letters again');
  withFilters(
    dlt
      .command('list')
      .description('list dead letters, without their payload')
      .argument('<topic>', 'dead-letter topic'),
  )
    .option('--all', 'those that were sent again, too')
    .option('--limit <letters>', 'letters at most', integerBetween(1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((topic: string, options: ListOptions) => list(cli, topic, options));
  dlt
    .command('show')
    .description('show one dead letter: why it died, its headers, and its value')
    .argument('<topic>', 'dead-letter topic')
    .argument('<partition/offset>', 'as `dlt list` prints it', place)
    .action((topic: string, at: ReturnType<typeof place>) => show(cli, topic, at));
  withFilters(
    dlt
      .command('redrive')
      .description('send dead letters to the topic they came from, each once')
      .argument('<topic>', 'dead-letter topic'),
  )
    .option('--to <topic>', 'send them to this topic instead')
    .option('--rate <letters>', 'letters a second at most', integerBetween(1, RATE_MAX))
    .option('--limit <letters>', 'letters at most', integerBetween(1, LIMIT_MAX))
    .option('--dry-run', 'only print what would be sent')
    .action(async (topic: string, options: RedriveCliOptions) => cli.end(await redrive(cli, topic, options)));
}

function filterOf(options: FilterOptions): LetterFilter {
  const { fromTopic, key, errorClass, reason, since, until, partition, fromOffset, toOffset, all } = options;
  const given = {
    originTopic: fromTopic,
    key,
    errorClass,
    reason,
    sinceMs: since,
    untilMs: until,
    partition,
    fromOffset: fromOffset === undefined ? undefined : BigInt(fromOffset),
    toOffset: toOffset === undefined ? undefined : BigInt(toOffset),
    withRedriven: all,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const idOf = ({ partition, offsets }: DeadLetter): string => `${partition}/${offsets[0]}`;

/** All but the payload and the stack. */
function brief(letter: DeadLetter) {
  const { note, origin, key, value, redriven, broken } = letter;
  const { error_stack: _stack, ...known }: Record<string, string> = note;
  const bytes = value?.length ?? null;
  return { id: idOf(letter), key: key?.toString('utf8') ?? null, bytes, origin, note: known, broken, redriven };
}

async function list(cli: Cli, topic: string, options: ListOptions): Promise<void> {
  const { config } = cli.load({ needs: [] });
  const kafka = await reachKafka(config);
  const found: ReturnType<typeof brief>[] = [];
  const filter = filterOf(options);
  for await (const letter of readDeadLetters(kafka, topic)) {
    if (!matches(letter, filter)) continue;
    if (found.length === options.limit) {
      cli.note(`there are more: give --limit above ${options.limit}, or narrow the list down`);
      break;
    }
    found.push(brief(letter));
  }
  if (options.json) {
    cli.print(toJson(found));
    return;
  }
  const rows = found.map((each) => {
    const { reason = '', error_class = '', error_message = '', attempts = '', time = '' } = each.note;
    const why = error_message.replaceAll(/\s+/g, ' ').slice(0, ERROR_SHOWN_MAX);
    return [each.id, time.slice(0, 19), each.origin.topic, each.key, reason, attempts, error_class, why];
  });
  const headings = ['ID', 'DIED (UTC)', 'FROM TOPIC', 'KEY', 'REASON', 'ATTEMPTS', 'CLASS', 'WHY'];
  for (const line of renderTable(headings, rows)) cli.print(line);
}

async function show(cli: Cli, topic: string, { partition, offset }: ReturnType<typeof place>): Promise<void> {
  const { config } = cli.load({ needs: [] });
  const kafka = await reachKafka(config);
  for await (const letter of readDeadLetters(kafka, topic)) {
    if (letter.partition !== partition || !letter.offsets.includes(offset)) continue;
    const text = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(text) : value === undefined ? null : String(value);
    const headers = Object.fromEntries(Object.entries(letter.headers).map(([name, value]) => [name, text(value)]));
    const { note, value } = letter;
    cli.print(
      toJson({ ...brief(letter), stack: note.error_stack ?? null, headers, value: value?.toString('utf8') ?? null }),
    );
    return;
  }
  throw new RelayError('CONFIG_INVALID', `there is no dead letter ${partition}/${offset} in ${topic}`);
}

async function redrive(cli: Cli, topic: string, options: RedriveCliOptions): Promise<ExitCode> {
  const { config } = cli.load({ needs: [] });
  await reachKafka(config);
  const { to, rate, limit, dryRun = false, json = false } = options;
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const letters: { readonly id: string; readonly to: string; readonly outcome: string }[] = [];
  const result = await redriveDeadLetters({
    kafka: kafkaOptions(config, silentLogger),
    topic,
    filter: filterOf(options),
    dryRun,
    signal: stop.signal,
    ...(to === undefined ? {} : { to }),
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
    ...(limit === undefined ? {} : { limit }),
    onLetter: (letter, outcome, why) => {
      const target = to ?? letter.origin.topic;
      if (json) letters.push({ id: idOf(letter), to: target, outcome });
      else if (outcome === 'would-send') cli.print(`would send ${idOf(letter)} to ${target}`);
      if (outcome === 'refused') cli.note(`${idOf(letter)} stays: ${why}`);
    },
  });
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  if (json) cli.print(toJson({ topic, dryRun, ...result, letters }));
  else
    cli.print(`${result.sent} dead letters ${dryRun ? 'would be sent' : 'were sent again'}, ${result.refused} refused`);
  return result.refused > 0 ? EXIT.checkFailed : EXIT.done;
}
