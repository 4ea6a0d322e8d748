/** The soak's command line. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '#runtime';

export interface SoakOptions {
  readonly rows: number;
  readonly seed: number;
  /** The load ends after so long, even with fewer rows. */
  readonly minutes: number;
  /** A file for the history; null: none. */
  readonly history: string | null;
  /** One phase for each innodb_autoinc_lock_mode. */
  readonly modes: readonly number[];
  readonly connections: number;
  readonly longSeconds: number;
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

const modes = (text: string): readonly number[] => {
  if (!/^[012](,[012])*$/.test(text)) throw new InvalidArgumentError('Give modes from 0 to 2, separated by commas.');
  return text.split(',').map(Number);
};

export function parseOptions(words: readonly string[]): SoakOptions {
  return new Command('npm run soak:gaps --')
    .description(
      'Runs a load whose statements own ids that have no row (REPLACE, upserts, INSERT IGNORE, waits, XA, KILLs, restarts of the ' +
        'database), and checks that every committed row arrived exactly once and in order. Starts servers of its own.',
    )
    .option('--rows <number>', 'committed rows of all phases together', integer(1_000, 1_000_000_000), 200_000)
    .option('--minutes <number>', 'end the load after so long, even with fewer rows', minutes, 60)
    .option('--seed <number>', 'for the same plan again', integer(0, 2 ** 31 - 1), Date.now() % 2 ** 31)
    .option('--history <file>', 'write every transaction and every record to this file (docs/history.md)', String, null)
    .option('--modes <list>', 'innodb_autoinc_lock_mode of the phases', modes, [1, 2, 0])
    .option('--connections <number>', 'connections with dangerous statements', integer(1, 200), 24)
    .option('--long-seconds <number>', 'how long the long transactions stay open; 0: none', integer(0, 3_600), 75)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...words], { from: 'user' })
    .opts<SoakOptions>();
}

export function rerunOf({ rows, seed, minutes: most, modes: those, connections, longSeconds }: SoakOptions): string {
  const words = `--rows ${rows} --seed ${seed} --minutes ${most} --modes ${those.join(',')}`;
  return `npm run soak:gaps -- ${words} --connections ${connections} --long-seconds ${longSeconds}`;
}
