/**
 * A result set as the bytes that came in: no value is decoded, so none can be changed, and the caller pays only for what it
 * looks at. The buffers point into the driver's receive buffer: copy what is kept.
 */
import type { Connection, FieldPacket, QueryError } from 'mysql2';
import type { SqlValue } from './sql-value.ts';

/** What the result says of one of its columns (protocol: ColumnDefinition41; the last two are MariaDB's extended metadata). */
export interface WireColumn {
  readonly name: string;
  readonly columnType: number;
  /** Collation number; 63 is binary. */
  readonly characterSet: number;
  /** The driver's name for the character set. */
  readonly encoding: string;
  readonly extendedTypeName?: string | undefined;
  readonly extendedFormat?: string | undefined;
}

export interface ByteSink {
  /** Called once, before the first row. False: no row is wanted. */
  onColumns(columns: readonly WireColumn[]): boolean;
  /** A row, column by column; null is NULL. False: no further row is wanted. */
  onRow(row: readonly (Buffer | null)[]): boolean;
  /** Bytes of unwanted rows read to the end of the result; past it the connection is given up instead. */
  readonly bytesDroppedMax: number;
}

export interface StreamBytesCall {
  readonly connection: Connection;
  readonly sql: string;
  readonly values: readonly SqlValue[];
  readonly sink: ByteSink;
  readonly done: (error: QueryError | null) => void;
  readonly giveUp: () => void;
}

/** A fault of the sink ends the stream and is passed on; it must not unwind through the driver's parser. */
export function streamBytes({ connection, sql, values, sink, done, giveUp }: StreamBytesCall): void {
  let failed: unknown = null;
  let wanted = true;
  let bytesDropped = 0;
  const ask = (question: () => boolean): void => {
    try {
      wanted = question();
    } catch (thrown) {
      failed = thrown;
      wanted = false;
    }
  };
  const drop = (row: readonly (Buffer | null)[]): void => {
    for (const value of row) bytesDropped += value?.length ?? 0;
    if (bytesDropped <= sink.bytesDroppedMax) return;
    done(failed as QueryError | null);
    giveUp();
  };
  const command = connection.query({ sql, values: values as unknown[], rowsAsArray: true, typeCast: false });
  command.on('fields', (fields: FieldPacket[]) => {
    ask(() => sink.onColumns(fields as unknown as readonly WireColumn[]));
  });
  command.on('result', (result) => {
    const row = result as unknown as readonly (Buffer | null)[];
    if (wanted) ask(() => sink.onRow(row));
    else drop(row);
  });
  command.on('error', (error) => {
    failed = error;
  });
  command.on('end', () => done(failed as QueryError | null));
}
