/** The bench's command line. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '#runtime';

export const PARTS = ['raw', 'drain', 'senders', 'path', 'latency', 'idle', 'gaps'] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  readonly rows: number;
  readonly runs: number;
  readonly only: readonly Part[];
  readonly quick: boolean;
  /** Write docs/benchmarks.md. */
  readonly write: boolean;
}

const ROWS = 500_000;
const ROWS_QUICK = 50_000;
const RUNS = 3;

const between = (min: number, max: number) => (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Give an integer from ${min} to ${max}.`);
};

function parts(text: string): readonly Part[] {
  const named = text.split(',').map((name) => name.trim());
  for (const name of named) {
    if (!PARTS.some((part) => part === name)) throw new InvalidArgumentError(`Give some of ${PARTS.join(', ')}.`);
  }
  return named as Part[];
}

interface Given {
  readonly rows?: number;
  readonly runs?: number;
  readonly only?: readonly Part[];
  readonly quick: boolean;
  readonly write: boolean;
}

export function parseOptions(words: readonly string[]): BenchOptions {
  const given = new Command('npm run bench --')
    .description(
      'Measures the relay beside a raw kafkajs producer in the same run. Servers are started unless KRS_TEST_* or ' +
        'KAFKA_ROW_SENDER_* variables name some. Exit code 1 when a floor is missed.',
    )
    .option('--rows <number>', `rows of 300 bytes (${ROWS}, with --quick ${ROWS_QUICK})`, between(1_000, 20_000_000))
    .option('--runs <number>', `repetitions, of which the median counts (${RUNS}, with --quick 1)`, between(1, 20))
    .option('--only <parts>', `some of ${PARTS.join(',')}; ratios need raw`, parts)
    .option('--quick', 'fewer rows, one run, shorter waits', false)
    .option('--write', 'write docs/benchmarks.md', false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...words], { from: 'user' })
    .opts<Given>();
  return {
    rows: given.rows ?? (given.quick ? ROWS_QUICK : ROWS),
    runs: given.runs ?? (given.quick ? 1 : RUNS),
    only: given.only ?? PARTS,
    quick: given.quick,
    write: given.write,
  };
}
