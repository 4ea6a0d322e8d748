/** Logging by pino: JSON lines, or readable on a terminal. One line per event that matters; no payload, no secret. */
import { pino } from 'pino';
import pretty from 'pino-pretty';
import { describeThrown, isError, isOfClass, propertyOf } from './describe-thrown.ts';
import { RelayError } from './errors.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** The part of pino the libraries use, so that tests can hand in a recorder. */
export interface Logger {
  trace(facts: object, message: string): void;
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  fatal(facts: object, message: string): void;
  child(facts: object): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly process: string;
  readonly instance: string;
}

/** Paths that could carry a secret if somebody logged a whole options object. */
const REDACTED = ['password', '*.password', 'sasl', '*.sasl', 'ssl', '*.ssl', 'url', '*.url', 'payload', '*.payload'];

/** Errors are logged as code, message and cause code: enough to act on, without driver internals. */
function errorFacts(error: unknown): object {
  const { message, code } = describeThrown(error);
  if (!isError(error)) return { message };
  const known = isOfClass(error, RelayError) ? { verdict: error.verdict, details: error.details } : null;
  const cause = propertyOf(error, 'cause');
  const { code: causeCode, message: causeMessage } = describeThrown(cause);
  return {
    ...(code === null ? {} : { code }),
    ...(known === null ? {} : { verdict: known.verdict }),
    message,
    ...known?.details,
    ...(isError(cause) ? { cause: { ...(causeCode === null ? {} : { code: causeCode }), message: causeMessage } } : {}),
  };
}

/** Writes synchronously to stdout so that the last line before a crash is not lost. */
export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { process: options.process, instance: options.instance },
    redact: REDACTED,
    serializers: { err: errorFacts },
  };
  if (!process.stdout.isTTY) return pino(settings, pino.destination({ dest: 1, sync: true }));
  return pino(settings, pretty({ sync: true, colorize: true, ignore: 'pid,hostname,instance' }));
}

/** For tests and for commands whose output is their result. */
export const silentLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  child: () => silentLogger,
};
