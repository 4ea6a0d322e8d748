/**
 * `npm run simulate -- --seeds N --from S --minutes M --workers W`: the protocol under simulated faults, as in `npm test`, for
 * as many seeds as wanted. Exit code 1 and a shrunk trace when a promise breaks.
 */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT, type ExitCode } from '#runtime';
import { type RangeDone, reportFailure, runSeeds } from '#testkit';

interface Options {
  readonly seeds?: number;
  readonly from: number;
  readonly minutes?: number;
  readonly workers?: number;
}

const SEEDS_DEFAULT = 20_000;
const PROGRESS_EVERY_MS = 5_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('a whole number from 1 on');
  return number;
}

function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('a number above 0');
  return number;
}

/** `total` null: as many as fit into the time. */
function progress(startedMs: number, total: number | null): (so: RangeDone) => void {
  let saidMs = startedMs;
  return ({ count, rows }) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < PROGRESS_EVERY_MS) return;
    saidMs = nowMs;
    const rate = count / ((nowMs - startedMs) / 1_000);
    const left = total === null ? '' : `, ${Math.ceil((total - count) / rate / 60)} min to go`;
    const of = total === null ? '' : ` of ${total}`;
    say(`${count}${of} seeds hold, ${rows} rows, ${Math.round(rate)} seeds/s${left}`);
  };
}

async function main(options: Options): Promise<ExitCode> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
  const startedMs = performance.now();
  const done = await runSeeds({
    from: options.from,
    count: options.seeds ?? (options.minutes === undefined ? SEEDS_DEFAULT : Number.MAX_SAFE_INTEGER - options.from),
    ...(options.minutes === undefined ? {} : { forMs: options.minutes * 60_000 }),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    onProgress: progress(startedMs, options.minutes === undefined ? (options.seeds ?? SEEDS_DEFAULT) : null),
    signal: interrupted.signal,
  });
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const [first] = done.failures;
  for (const { seed, message } of done.failures) say(`seed ${seed}: ${message}`);
  if (first !== undefined) say(`\n${await reportFailure(first.seed)}`);
  say(`${done.count} seeds from ${options.from} in ${seconds} s, ${done.rows} rows: ${done.failures.length} failed`);
  return first === undefined && done.count > 0 ? EXIT.done : EXIT.checkFailed;
}

const command = new Command('simulate')
  .option('--seeds <n>', `how many (default ${SEEDS_DEFAULT}, or as many as fit in --minutes)`, wholeNumber)
  .option('--from <seed>', 'the first seed', wholeNumber, 1)
  .option('--minutes <n>', 'no new seeds after so long', positive)
  .option('--workers <n>', 'threads (default: one a core)', wholeNumber)
  .action(async (options: Options) => {
    process.exitCode = await main(options);
  });
await command.parseAsync();
