/** Drivers below the libraries know Buffer; some take another Uint8Array for an object with numbered fields. */
import type { SqlParameter } from '../sql-executor.ts';

export const asBuffer = (value: SqlParameter): string | number | null | Buffer =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
