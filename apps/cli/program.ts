/** The command line as a tree of commands: one file each. */
import { Command } from 'commander';
import type { Cli } from './cli.ts';
import { addConfig } from './config.ts';
import { addDeadLetters } from './dead-letters.ts';
import { addDlt } from './dlt.ts';
import { addDoctor } from './doctor.ts';
import { addInit } from './init.ts';
import { addInitSql } from './init-sql.ts';
import { addLane } from './lane.ts';
import { addRun } from './run.ts';
import { addSettings } from './settings.ts';
import { addSource } from './source.ts';
import { addStatus } from './status.ts';
import { addVerify } from './verify.ts';
import { addVersion, readVersion } from './version.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 check failed, 2 bad usage or configuration, 3 a server cannot be reached or refuses,
4 halted by an invariant. Settings: kafka-row-sender settings.`;

/** The program without its commands: enough to read the options that stand before or behind any of them. */
export function createProgram(): Command {
  return new Command('kafka-row-sender')
    .description('Delivers the rows of a database table to Kafka exactly once, in order per key.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--config <file>', 'YAML file with settings and sources')
    .option('--db <address>', 'an SQLite file instead of a server: sqlite:./app.db')
    .helpOption('-h, --help', 'explain the program or a command')
    .helpCommand('help [command]', 'explain the program or a command')
    .addHelpText('after', EXIT_CODES);
}

export function addCommands(program: Command, cli: Cli): void {
  addRun(program, cli);
  addInit(program, cli);
  addInitSql(program, cli);
  addConfig(program, cli);
  addDoctor(program, cli);
  addSettings(program, cli);
  addStatus(program, cli);
  addVerify(program, cli);
  addSource(program, cli);
  addLane(program, cli);
  addDeadLetters(program, cli);
  addDlt(program, cli);
  addVersion(program, cli);
}
