/**
 * Bytes that are kept belong to whoever keeps them. A buffer that a client hands out is a view of all that one answer of a broker
 * brought: one small record that waits would keep megabytes, and no count of its own length would show it.
 */
import type { MessageHeaders } from './chunk-headers.ts';

interface Keepable {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

/** The same bytes in memory of their own. Not copied where they are alone already. */
export function ownBytes(bytes: Buffer): Buffer {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

const owned = <Value>(value: Value): Value => (Buffer.isBuffer(value) ? (ownBytes(value) as Value & Buffer) : value);

/** The record, or message, with key, value and headers of its own. */
export function ownRecord<R extends Keepable>(record: R): R {
  const headers = Object.fromEntries(
    Object.entries(record.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(owned) : owned(value),
    ]),
  );
  return { ...record, key: owned(record.key), value: owned(record.value), headers };
}
