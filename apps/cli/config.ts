/** `config`: the effective settings, secrets masked, and where each came from. `config check` tries them. */
import type { Command } from 'commander';
import { describeConfig } from '#config';
import { checkConfig } from './check-config.ts';
import type { Cli } from './cli.ts';
import { renderTable, toJson } from './render-table.ts';

export function addConfig(program: Command, cli: Cli): void {
  const config = program
    .command('config')
    .description('print the effective settings, secrets masked, and where each came from')
    .option('--json', 'print JSON')
    .action((options: { readonly json?: boolean }) => {
      const loaded = cli.load();
      const shown = describeConfig(loaded);
      for (const warning of loaded.warnings) cli.note(`warning: ${warning}`);
      if (options.json) cli.print(toJson(shown));
      else {
        const rows = shown.map(({ name, value, origin }) => [name, value, origin]);
        for (const line of renderTable(['SETTING', 'VALUE', 'FROM'], rows)) cli.print(line);
      }
    });
  config
    .command('check')
    .description('validate the settings and try them: database, tables, sources, Kafka, topics, Redis')
    .action(async () => cli.end(await checkConfig(cli)));
}
