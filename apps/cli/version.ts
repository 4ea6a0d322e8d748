/** The package's version, from its own package.json, which lies beside the sources and above the built files. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Cli } from './cli.ts';

const PLACES = ['../../package.json', '../../../package.json'];

export function readVersion(): string {
  for (const place of PLACES) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === 'kafka-row-sender' && version) return version;
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}

export function addVersion(program: Command, cli: Cli): void {
  program
    .command('version')
    .description('print the version')
    .action(() => cli.print(readVersion()));
}
