/**
 * Values of SQLite as texts and JSON, exactly. SQLite's types are the values', not the columns': INTEGER is a number with all
 * its digits, REAL the shortest number that reads back the same (JSON has no infinity: a string), TEXT a string, BLOB
 * base64, NULL null. A column declared JSON is embedded where its text parses.
 */
import type { SourceColumn } from './source-table.ts';

/** As read with bigints. */
export type ColumnValue = bigint | number | string | Uint8Array | null;

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export function jsonText(value: ColumnValue, { json }: Pick<SourceColumn, 'json'>): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : `"${value}"`;
  if (typeof value === 'string') return json && isJson(value) ? value : JSON.stringify(value);
  return `"${base64(value)}"`;
}

/** The text of the value, without quotes: what a key or a topic is made of. */
export function textOf(value: ColumnValue): string | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? base64(value) : String(value);
}

/** Bytes as they are, everything else as its text. */
export function bytesOf(value: ColumnValue): Buffer | null {
  if (value instanceof Uint8Array) return Buffer.from(value);
  const text = textOf(value);
  return text === null ? null : Buffer.from(text);
}

/** A row as a JSON object. */
export function rowJson(columns: readonly SourceColumn[], values: readonly ColumnValue[]): Buffer {
  const members = columns.map((column, at) => `${JSON.stringify(column.name)}:${jsonText(values[at] ?? null, column)}`);
  return Buffer.from(`{${members.join(',')}}`);
}

export const sameValue = (a: ColumnValue, b: ColumnValue): boolean =>
  a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : Object.is(a, b);
