/**
 * The packet that runs a prepared statement (COM_STMT_EXECUTE), written in one pass into a buffer that is used again. The
 * driver makes an object for each value and a buffer for each packet: with 7,000 values in a statement that was a third of
 * the writer's work, most of it for the garbage collector.
 * Protocol: dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html
 */
import type { SqlValue } from './sql-value.ts';

/** Three bytes of length and the sequence number, which is 0 at the start of a command. */
const HEADER_BYTES = 4;
const COM_STMT_EXECUTE = 0x17;
/** Command, statement id, cursor flags, iteration count. */
const FIXED_BYTES = 10;
const TYPE_DOUBLE = 0x05;
const TYPE_NULL = 0x06;
const TYPE_LONGLONG = 0x08;
const TYPE_BLOB = 0xfc;
const TYPE_VAR_STRING = 0xfd;
const NUMBER_BYTES = 8;
/** A length prefix takes up to nine bytes, a UTF-16 unit up to three of UTF-8. */
const PREFIX_BYTES_MAX = 9;
const UTF8_BYTES_MAX = 3;
/** Lengths up to this are one byte. */
const SHORT_MAX = 250;
const TWO_16 = 0x1_0000;
const TWO_24 = 0x100_0000;
const TWO_32 = 0x1_0000_0000;

export type PreparedValue = string | number | null | Buffer;

export const isPreparedValue = (value: SqlValue): value is PreparedValue =>
  value === null || typeof value === 'string' || typeof value === 'number' || Buffer.isBuffer(value);

/** Upper bound of the packet's bytes, header included. */
export function executeBytesMax(values: readonly PreparedValue[]): number {
  let bytes = HEADER_BYTES + FIXED_BYTES + (values.length >>> 3) + 2 + values.length * 2;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as PreparedValue;
    if (value === null) continue;
    if (typeof value === 'number') bytes += NUMBER_BYTES;
    else bytes += PREFIX_BYTES_MAX + (typeof value === 'string' ? value.length * UTF8_BYTES_MAX : value.length);
  }
  return bytes;
}

/** Writes the packet at the start of `bytes`, which has room for `executeBytesMax`. Returns its length, header included. */
export function encodeExecute(bytes: Buffer, statementId: number, values: readonly PreparedValue[]): number {
  const count = values.length;
  bytes[HEADER_BYTES] = COM_STMT_EXECUTE;
  bytes.writeUInt32LE(statementId, HEADER_BYTES + 1);
  bytes[HEADER_BYTES + 5] = 0; // no cursor
  bytes.writeUInt32LE(1, HEADER_BYTES + 6); // iterations: always one
  let at = HEADER_BYTES + FIXED_BYTES;
  if (count > 0) {
    const bitmap = at;
    const types = bitmap + ((count + 7) >>> 3) + 1;
    bytes.fill(0, bitmap, types);
    bytes[types - 1] = 1; // types follow
    at = types + count * 2;
    for (let i = 0; i < count; i += 1) {
      const value = values[i] as PreparedValue;
      bytes[types + i * 2] = typeOf(value);
      bytes[types + i * 2 + 1] = 0; // signed
      if (value === null) bytes[bitmap + (i >>> 3)] = (bytes[bitmap + (i >>> 3)] as number) | (1 << (i & 7));
      else at = putValue(bytes, at, value);
    }
  }
  bytes.writeUIntLE(at - HEADER_BYTES, 0, 3);
  bytes[3] = 0;
  return at;
}

function typeOf(value: PreparedValue): number {
  if (value === null) return TYPE_NULL;
  if (typeof value === 'string') return TYPE_VAR_STRING;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? TYPE_LONGLONG : TYPE_DOUBLE;
  return TYPE_BLOB;
}

function putValue(bytes: Buffer, at: number, value: string | number | Buffer): number {
  if (typeof value === 'number') return putNumber(bytes, at, value);
  if (typeof value === 'string') return putText(bytes, at, value);
  const start = putLength(bytes, at, value.length);
  bytes.set(value, start);
  return start + value.length;
}

function putNumber(bytes: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value)) return bytes.writeDoubleLE(value, at);
  bytes.writeUInt32LE(value >>> 0, at);
  return bytes.writeInt32LE(Math.floor(value / TWO_32), at + 4);
}

function putText(bytes: Buffer, at: number, text: string): number {
  if (text.length * UTF8_BYTES_MAX <= SHORT_MAX) {
    const length = bytes.write(text, at + 1);
    bytes[at] = length;
    return at + 1 + length;
  }
  const length = Buffer.byteLength(text);
  const start = putLength(bytes, at, length);
  bytes.write(text, start);
  return start + length;
}

function putLength(bytes: Buffer, at: number, length: number): number {
  if (length <= SHORT_MAX) {
    bytes[at] = length;
    return at + 1;
  }
  if (length < TWO_16) {
    bytes[at] = 0xfc;
    return bytes.writeUInt16LE(length, at + 1);
  }
  if (length < TWO_24) {
    bytes[at] = 0xfd;
    return bytes.writeUIntLE(length, at + 1, 3);
  }
  bytes[at] = 0xfe;
  return putNumber(bytes, at + 1, length);
}
