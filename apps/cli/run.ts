/** `run`: writer and senders in one process, until SIGTERM or SIGINT. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';

export function addRun(program: Command, cli: Cli): void {
  program
    .command('run')
    .description('deliver rows: writer and senders in one process (the default command)')
    .action(async () => {
      // Loaded only here: no other command needs the services.
      const { runAll } = await import('../run/run-all.ts');
      await runAll(cli.loadOptions());
    });
}
