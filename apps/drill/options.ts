/** The drill's command line. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '#runtime';

export interface DrillOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Names of faults; every fault when empty. */
  readonly only: readonly string[];
  readonly rate: number;
  readonly list: boolean;
  readonly write: boolean;
  /** A file of figures to go on with; null: none. */
  readonly addTo: string | null;
  /** Files of other runs' figures, counted in. */
  readonly with: readonly string[];
  readonly keepLogs: boolean;
  /** A file for every transaction and every record; null: none. */
  readonly history: string | null;
  readonly failuresMax: number;
  /** Most faults of a round; a round begins with a fresh deployment. */
  readonly roundFaults: number;
  readonly roundsMax: number;
}

const MINUTES_MAX = 7 * 24 * 60;

const integer = (min: number, max: number) => (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Give an integer from ${min} to ${max}.`);
};

const minutes = (text: string): number => {
  const value = Number(text);
  if (value > 0 && value <= MINUTES_MAX) return value;
  throw new InvalidArgumentError(`Give a number above 0, at most ${MINUTES_MAX}.`);
};

const collect = (text: string, all: readonly string[]): readonly string[] => [...all, ...text.split(',')];

export function parseOptions(words: readonly string[]): DrillOptions {
  return new Command('npm run drill --')
    .description(
      'Breaks processes, servers and connections under load, one fault after another as the seed says, and checks after ' +
        'each that every committed row arrived exactly once and in order. Starts servers of its own.',
    )
    .option('--minutes <number>', 'how long to go on injecting faults', minutes, 10)
    .option('--seed <number>', 'for the same faults in the same order', integer(0, 2 ** 31 - 1), Date.now() % 2 ** 31)
    .option('--only <names>', 'only these faults, by name (may be repeated, or separated by commas)', collect, [])
    .option('--rate <rows>', 'committed rows a second', integer(10, 100_000), 400)
    .option('--list', 'list the faults and end', false)
    .option('--write', 'write the report to docs/faults.md', false)
    .option('--add-to <file>', 'go on with the figures in this file, and keep them there', String, null)
    .option('--with <file>', "count the figures of another run's file in (may be repeated)", collect, [])
    .option('--keep-logs', 'keep the logs of clean rounds too', false)
    .option('--history <file>', 'write every transaction and every record to this file (docs/history.md)', String, null)
    .option('--failures-max <number>', 'give up after so many failed rounds', integer(1, 1_000), 5)
    .option('--round-faults <number>', 'faults before everything is checked and begun afresh', integer(1, 10_000), 15)
    .option('--rounds-max <number>', 'end after so many rounds', integer(0, 1_000_000), 1_000_000)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...words], { from: 'user' })
    .opts<DrillOptions>();
}
