/** What every verb of this library works on. */
import type { OutboxTables } from '#outbox';
import type { SqliteFile } from './sqlite-file.ts';
import { type QuotedTables, quoteTables } from './tables.ts';

export interface StoreOptions {
  readonly file: SqliteFile;
  readonly tables: OutboxTables;
}

export interface Storage {
  readonly file: SqliteFile;
  readonly tables: QuotedTables;
}

export const openStorage = ({ file, tables }: StoreOptions): Storage => ({ file, tables: quoteTables(tables) });

/** node:sqlite gives blobs as plain byte arrays; the same memory as a Buffer. */
export const bufferOf = (bytes: Uint8Array | null): Buffer | null =>
  bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
