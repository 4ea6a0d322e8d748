/** Turns what mysql2 throws into RelayError. SQL text and values stay out: driver errors carry both. */
import { describeThrown, type ErrorCode, isError, isOfClass, propertyOf, RelayError } from '#runtime';
import { classify } from './error-table.ts';

interface DriverError extends Error {
  readonly errno?: number;
  readonly code?: string;
  readonly sqlState?: string;
}

/** Server messages of these codes name users, tables and columns, never a row's values, and the operator needs them. */
const MESSAGE_IS_SAFE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DB_REFUSED',
  'DB_SCHEMA',
  'DB_READ_ONLY',
  'DB_UNREACHABLE',
]);

const isDriverError = (thrown: unknown): thrown is DriverError =>
  isError(thrown) && (propertyOf(thrown, 'errno') !== undefined || propertyOf(thrown, 'code') !== undefined);

/** `what` says what we were doing, in words for the log. A RelayError passes through unchanged. */
export function asDatabaseError(thrown: unknown, what: string): RelayError {
  if (isOfClass(thrown, RelayError)) return thrown;
  if (!isDriverError(thrown)) {
    // The one fault mysql2 reports without a code: a command on a connection that has failed meanwhile.
    if (isError(thrown) && propertyOf(thrown, 'constructor') === Error && propertyOf(thrown, 'fatal') !== undefined) {
      return new RelayError('DB_UNREACHABLE', `${what}: the connection is closed`);
    }
    // Not the driver's: a programming error of ours. Its message holds no SQL, so it is kept for the log.
    return new RelayError('INTERNAL', `${what}: ${describeThrown(thrown).message}`, {
      cause: thrown,
    });
  }
  const errno = typeof thrown.errno === 'number' ? thrown.errno : undefined;
  // Socket errors carry negative numbers of the operating system; only the server's are in the table.
  const serverErrno = errno !== undefined && errno > 0 ? errno : undefined;
  const code = classify(serverErrno, thrown.code) ?? 'DB_UNKNOWN';
  const name = thrown.code ?? 'unknown error';
  const text = MESSAGE_IS_SAFE.has(code) ? `: ${thrown.message}` : '';
  const more = code === 'DB_UNKNOWN' ? explainUnknown(thrown) : text;
  return new RelayError(code, `${what}: ${name}${more}`, {
    details: {
      driverCode: name,
      ...(errno === undefined ? {} : { errno }),
      ...(thrown.sqlState === undefined ? {} : { sqlState: thrown.sqlState }),
    },
  });
}

/** The server's own words may hold values, so that they stay in its log. */
function explainUnknown({ errno, sqlState }: DriverError): string {
  const number = errno === undefined ? '' : `error ${errno}, SQLSTATE ${sqlState ?? 'none'}, `;
  return ` (${number}not known to this program): a relay that runs tries again for as long as it takes; look the number up, and see the error log and the triggers of the server`;
}

/** The server's error number inside a RelayError made here, or null. */
export function errnoOf(error: unknown): number | null {
  if (!(error instanceof RelayError)) return null;
  const { errno } = error.details;
  return typeof errno === 'number' ? errno : null;
}
