/** The one error type of the project: a closed set of codes, each with a verdict. Nothing decides on message texts. */

import { describeThrown, isOfClass } from './describe-thrown.ts';

/** What a caller does with a fault: try again later, treat the row as the culprit, or stop and say so. */
export type Verdict = 'retry' | 'row-fault' | 'fatal';

/** Exit codes of every executable; other programs rely on them. */
export const EXIT = { done: 0, checkFailed: 1, usage: 2, unreachable: 3, halted: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CodeFacts {
  readonly verdict: Verdict;
  readonly exit: ExitCode;
}

const FACTS = {
  CONFIG_INVALID: { verdict: 'fatal', exit: EXIT.usage },
  DB_UNREACHABLE: { verdict: 'retry', exit: EXIT.unreachable },
  DB_REFUSED: { verdict: 'retry', exit: EXIT.unreachable },
  DB_TRANSIENT: { verdict: 'retry', exit: EXIT.unreachable },
  DB_READ_ONLY: { verdict: 'retry', exit: EXIT.unreachable },
  DB_FULL: { verdict: 'retry', exit: EXIT.unreachable },
  DB_UNKNOWN: { verdict: 'retry', exit: EXIT.unreachable },
  DB_COMMIT_UNKNOWN: { verdict: 'retry', exit: EXIT.unreachable },
  DB_SCHEMA: { verdict: 'fatal', exit: EXIT.usage },
  DB_UNSUPPORTED: { verdict: 'fatal', exit: EXIT.usage },
  SOURCE_TABLE_MISSING: { verdict: 'fatal', exit: EXIT.usage },
  SOURCE_COLUMNS_GONE: { verdict: 'fatal', exit: EXIT.halted },
  SOURCE_WENT_BACK: { verdict: 'fatal', exit: EXIT.halted },
  SOURCE_ID_TWICE: { verdict: 'fatal', exit: EXIT.halted },
  SOURCE_HALTED: { verdict: 'fatal', exit: EXIT.halted },
  EVENT_REFUSED: { verdict: 'row-fault', exit: EXIT.usage },
  DB_ROW_REFUSED: { verdict: 'row-fault', exit: EXIT.halted },
  KAFKA_UNREACHABLE: { verdict: 'retry', exit: EXIT.unreachable },
  KAFKA_REFUSED: { verdict: 'retry', exit: EXIT.unreachable },
  KAFKA_TOPIC_MISSING: { verdict: 'retry', exit: EXIT.unreachable },
  KAFKA_FENCED: { verdict: 'retry', exit: EXIT.unreachable },
  KAFKA_OUTCOME_UNKNOWN: { verdict: 'retry', exit: EXIT.unreachable },
  KAFKA_RECORD_REFUSED: { verdict: 'row-fault', exit: EXIT.halted },
  KAFKA_UNREADABLE: { verdict: 'fatal', exit: EXIT.halted },
  KAFKA_UNSUPPORTED: { verdict: 'fatal', exit: EXIT.usage },
  REDIS_UNREACHABLE: { verdict: 'retry', exit: EXIT.unreachable },
  REDIS_REFUSED: { verdict: 'retry', exit: EXIT.unreachable },
  REGISTRY_UNREACHABLE: { verdict: 'retry', exit: EXIT.unreachable },
  REGISTRY_REFUSED: { verdict: 'retry', exit: EXIT.unreachable },
  DEADLINE_EXCEEDED: { verdict: 'retry', exit: EXIT.unreachable },
  STOPPED: { verdict: 'retry', exit: EXIT.done },
  INVARIANT_BROKEN: { verdict: 'fatal', exit: EXIT.halted },
  INTERNAL: { verdict: 'fatal', exit: EXIT.halted },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof FACTS;

/** Codes of faults that do not pass by themselves. */
export type LastingCode = {
  [Code in ErrorCode]: (typeof FACTS)[Code]['verdict'] extends 'retry' ? never : Code;
}[ErrorCode];

export interface RelayErrorOptions {
  readonly cause?: unknown;
  /** Facts for the log: never payloads, never secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** A fault with a code; `verdict` says what to do and `exitCode` how a command ends when the fault ends it. */
export class RelayError extends Error {
  override readonly name = 'RelayError';
  readonly code: ErrorCode;
  readonly verdict: Verdict;
  readonly exitCode: ExitCode;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, options: RelayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.verdict = FACTS[code].verdict;
    this.exitCode = FACTS[code].exit;
    this.details = options.details ?? {};
  }
}

/** Turns anything thrown into a RelayError; what we do not know becomes INTERNAL, which is fatal: unknown means stop. Never throws. */
export function asRelayError(thrown: unknown): RelayError {
  if (isOfClass(thrown, RelayError)) return thrown;
  return new RelayError('INTERNAL', describeThrown(thrown).message, { cause: thrown });
}
