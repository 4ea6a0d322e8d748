/** What every command gets: where its result goes, the settings, and how it ends. */
import type { LoadedConfig, LoadOptions } from '#config';
import type { ExitCode } from '#runtime';
import { loadOrExit } from '../wiring/service.ts';

export interface Cli {
  /** The result: a line on standard output. */
  print(line: string): void;
  /** A diagnostic: a line on standard error. */
  note(line: string): void;
  /** Settings from the command line, the environment, `.env` and the YAML file; ends the process with 2 when refused. */
  load(options?: Pick<LoadOptions, 'needs' | 'overrides'>): LoadedConfig;
  /** The same as options, for whoever loads by itself. */
  loadOptions(options?: Pick<LoadOptions, 'needs' | 'overrides'>): LoadOptions;
  /** How the process ends once the command is done. */
  end(code: ExitCode): void;
}

/** Read when it is there, as in the working directory of the services. */
const ENV_FILE = '.env';

export interface CliOptions {
  readonly configPath: () => string | null;
  /** Of the option `--db`. */
  readonly database: () => string | null;
  readonly end: (code: ExitCode) => void;
}

export function createCli({ configPath, database, end }: CliOptions): Cli {
  const loadOptions = (options: Pick<LoadOptions, 'needs' | 'overrides'> = {}): LoadOptions => {
    const db = database();
    const overrides = { ...(db === null ? {} : { DB: db }), ...options.overrides };
    return { ...options, overrides, envFile: ENV_FILE, configPath: configPath() };
  };
  return {
    end,
    loadOptions,
    print: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    load: (options) => loadOrExit(loadOptions(options)),
  };
}
