/**
 * Values as SQL literals that no setting of a session can change.
 *
 * The driver and most libraries put a value between quotes and put backslashes before its quotes. How a server reads that depends
 * on the session: under NO_BACKSLASH_ESCAPES a backslash is a plain character, under ANSI_QUOTES a double quote begins a name,
 * and in sjis, big5 or gbk a backslash can be the second half of a character. A crafted value then ends its own literal. A
 * prepared statement has no quotes, but its texts are read in the character set that the session names at that moment, which the
 * driver does not know, and several libraries cannot prepare. So a text goes as the hexadecimal of its UTF-8 bytes, with its
 * character set named, and numbers go as digits: letters and digits of ASCII, which every sql_mode and every character set that
 * a client may have reads alike.
 */
import { RelayError } from '#runtime';

/** ER_DATA_OUT_OF_RANGE: what a statement with `failWith` fails with. */
export const OUT_OF_RANGE_ERRNO = 1690;

/** Throws DB_ROW_REFUSED for a text with half of a surrogate pair: it has no UTF-8 bytes. */
export function requireWellFormed(text: string): void {
  if (text.isWellFormed()) return;
  throw new RelayError('DB_ROW_REFUSED', 'a text has half of a surrogate pair: it cannot be stored as UTF-8');
}

/** Throws DB_ROW_REFUSED for a text with half of a surrogate pair. */
export function textLiteral(text: string): string {
  requireWellFormed(text);
  return `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`;
}

export const bytesLiteral = (bytes: Uint8Array): string =>
  `_binary X'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}'`;

/** Digits. Throws INTERNAL for NaN and the infinities. */
export function numberLiteral(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isFinite(value)) return String(value);
  throw new RelayError('INTERNAL', `${value} cannot be a value of a statement`);
}

/**
 * An expression that fails with OUT_OF_RANGE_ERRNO when it is evaluated, in every sql_mode; the server's message names `column`.
 * OCTET_LENGTH, since LENGTH counts characters under MariaDB's sql_mode ORACLE.
 */
export const failWith = (column: string): string => `18446744073709551615 + (1 + IFNULL(OCTET_LENGTH(${column}), 0))`;
