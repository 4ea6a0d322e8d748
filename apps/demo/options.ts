/** The demo's command line. */
import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '#runtime';

export interface DemoOptions {
  readonly rows: number;
  readonly senders: number;
  readonly writers: number;
  readonly kill: boolean;
  readonly keep: boolean;
  readonly seed: number;
}

const between = (min: number, max: number) => (text: string) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Give an integer from ${min} to ${max}.`);
};

export function parseOptions(words: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description(
      'Delivers real rows from MariaDB to Kafka while processes are killed, and checks that each arrived exactly once. ' +
        'Servers are started unless KAFKA_ROW_SENDER_* or KRS_TEST_* variables name some.',
    )
    .option('--rows <number>', 'flights to deliver', between(1, 10_000_000), 200_000)
    .option('--senders <number>', 'sender processes', between(1, 64), 4)
    .option('--writers <number>', 'writer processes, one active and the others on standby', between(1, 16), 2)
    .option('--no-kill', 'kill nobody')
    .option('--keep', 'leave it running after the check, until Ctrl-C', false)
    .option('--seed <number>', 'for the same transactions again', between(0, 2 ** 31 - 1), Date.now() % 2 ** 31)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage))
    .parse([...words], { from: 'user' })
    .opts<DemoOptions>();
}
