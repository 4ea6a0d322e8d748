#!/usr/bin/env node
/** `kafka-row-sender`: results on standard output, diagnostics on standard error, and the exit codes other programs rely on. */
import { Command, CommanderError } from 'commander';
import { asRelayError, EXIT, type ExitCode } from '#runtime';
import { createCli } from './cli.ts';
import { addCommands, createProgram } from './program.ts';

const DEFAULT_COMMAND = 'run';

/** `run` is meant when no command is named; options alone name none. */
function withDefaultCommand(words: readonly string[]): readonly string[] {
  const { operands, unknown } = new Command()
    .option('--config <file>')
    .option('--db <address>')
    .parseOptions([...words]);
  const asks = unknown.some((word) => ['-h', '--help', '-V', '--version'].includes(word));
  return operands.length > 0 || asks ? words : [...words, DEFAULT_COMMAND];
}

/** Commander writes an error and its suggestion on two lines; ours are one clear line each. */
function refuseInOneLine(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    outputError: (text, write) => write(`${text.trim().replaceAll(/\s*\n\s*/g, ' ')}\n`),
  });
  for (const child of command.commands) refuseInOneLine(child);
}

async function main(words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const program = createProgram();
  const cli = createCli({
    configPath: () => program.opts<{ config?: string }>().config ?? null,
    database: () => program.opts<{ db?: string }>().db ?? null,
    end: (wanted) => {
      code = wanted;
    },
  });
  addCommands(program, cli);
  refuseInOneLine(program);
  try {
    await program.parseAsync([...withDefaultCommand(words)], { from: 'user' });
    return code;
  } catch (thrown) {
    // Help and version that were asked for end with 0, help instead of a missing command does not.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    const error = asRelayError(thrown);
    if (error.code === 'STOPPED') return EXIT.done;
    cli.note(`error: ${error.message}`);
    return error.exitCode;
  }
}

// A reader that has seen enough (`status | head`) is no fault of ours.
process.stdout.on('error', () => process.exit(EXIT.done));
process.exit(await main(process.argv.slice(2)));
