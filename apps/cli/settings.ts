/** `settings`: every setting with its type, default and meaning, generated from the table that parses them. */
import type { Command } from 'commander';
import { settingsHelp } from '#config';
import type { Cli } from './cli.ts';

export function addSettings(program: Command, cli: Cli): void {
  program
    .command('settings')
    .description('explain every setting')
    .action(() => cli.print(settingsHelp()));
}
