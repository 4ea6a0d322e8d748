/** What the server refused, told by its numbers through the wrappers of the libraries there are adapters for. */
import { OUT_OF_RANGE_ERRNO } from '#database';
import { COLUMNS } from './mysql-insert.ts';
import { refuseEvent } from './outbox-event.ts';

/** ER_DUP_ENTRY; ER_DUP_ENTRY_WITH_KEY_NAME. */
const MYSQL_DUPLICATE: ReadonlySet<number> = new Set([1062, 1586]);
/** SQLITE_CONSTRAINT_UNIQUE and _PRIMARYKEY, extended result codes. */
const SQLITE_DUPLICATE: ReadonlySet<number> = new Set([2067, 1555]);
/**
 * A value that its column does not keep: our own comparison, and what a strict sql_mode says. NULL in a column without; out of
 * range; cut; wrong for the type, for the character set (1300, 1366, 3988) or for JSON (3140, 3144, 4025); too long; no conversion
 * to compare with (1267).
 */
const NOT_KEPT: ReadonlySet<number> = new Set([
  OUT_OF_RANGE_ERRNO,
  ...[1048, 1264, 1265, 1267, 1292, 1300, 1366, 1406, 3140, 3144, 3988, 4025],
]);
/** ER_NET_PACKET_TOO_LARGE. */
const PACKET_TOO_LARGE = 1153;
/** Libraries wrap the driver's error, some twice; never deeper than this. */
const WRAPPERS_MAX = 5;

interface WrappedError {
  readonly errno?: unknown;
  readonly errcode?: unknown;
  readonly originalCode?: unknown;
  readonly sqlMessage?: unknown;
  readonly originalMessage?: unknown;
  readonly cause?: unknown;
  readonly driverError?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
}

/** The error and what it wraps, outermost first. */
function* layersOf(thrown: unknown): Generator<WrappedError> {
  let error = thrown as WrappedError | null | undefined;
  for (let depth = 0; depth < WRAPPERS_MAX && typeof error === 'object' && error !== null; depth += 1) {
    yield error;
    error = (error.driverError ?? error.meta?.driverAdapterError ?? error.cause) as WrappedError | null | undefined;
  }
}

/** Prisma's adapters have the server's number as text. */
const mysqlNumbers = (thrown: unknown): number[] =>
  [...layersOf(thrown)].flatMap(({ errno, originalCode }) => [Number(errno), Number(originalCode)]);

function isDuplicateKey(thrown: unknown): boolean {
  if (mysqlNumbers(thrown).some((number) => MYSQL_DUPLICATE.has(number))) return true;
  return [...layersOf(thrown)].some(({ errcode }) => SQLITE_DUPLICATE.has(Number(errcode)));
}

/** The column that the server's own message names, without the text that libraries add; only to be shown. */
function columnNamed(thrown: unknown): string | null {
  const texts = [...layersOf(thrown)].flatMap(({ sqlMessage, originalMessage }) => [sqlMessage, originalMessage]);
  const named = COLUMNS.filter((column) => texts.some((text) => new RegExp(`[\`']${column}[\`']`).test(String(text))));
  return named.length === 1 ? (named[0] as string) : null;
}

/** EVENT_REFUSED where the server has refused the event itself, and the error as it is for everything else. */
export function asRefusal(thrown: unknown, table: string): unknown {
  if (isDuplicateKey(thrown))
    return refuseEvent('duplicate-id', 'an event with this id is in the outbox already', thrown);
  const numbers = mysqlNumbers(thrown);
  if (numbers.includes(PACKET_TOO_LARGE)) return tooLarge(thrown);
  if (!numbers.some((number) => NOT_KEPT.has(number))) return thrown;
  const column = columnNamed(thrown);
  const what = column === null ? 'a column' : `column ${column}`;
  return refuseEvent(
    'not-kept',
    `${what} of the outbox table ${table} does not keep a value of the event as it is: compare its type, length and character set with outboxTableSql()`,
    thrown,
  );
}

/** Our own comparison failed. */
export const isNotKept = (thrown: unknown): boolean => mysqlNumbers(thrown).includes(OUT_OF_RANGE_ERRNO);

/** EVENT_REFUSED where a statement is larger than the server takes, and the error as it is for everything else. */
export const asTooLarge = (thrown: unknown): unknown => (isNotKept(thrown) ? tooLarge(thrown) : thrown);

const tooLarge = (cause: unknown): unknown =>
  refuseEvent(
    'too-large',
    'an event is larger than the database takes in one statement: it is written as hexadecimal, in two bytes each, so raise max_allowed_packet above twice its size',
    cause,
  );
