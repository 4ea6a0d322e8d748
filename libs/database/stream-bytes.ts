/**
 * A result set as the bytes that came in: no value is decoded, so none can be changed, and the caller pays only for what it
 * looks at. The driver asks its command for what follows each packet; we answer for the rows in its place, since its own
 * parser makes a Buffer of every column.
 */
import type { Connection, FieldPacket, QueryError } from 'mysql2';
import { RelayError } from '#runtime';
import { RowBytes } from './row-bytes.ts';

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
  /** A row, valid during the call only. False: no further row is wanted. */
  onRow(row: RowBytes): boolean;
  /** Bytes of unwanted rows read to the end of the result; past it the connection is given up instead. */
  readonly bytesDroppedMax: number;
}

export interface StreamBytesCall {
  readonly connection: Connection;
  /** Without placeholders. */
  readonly sql: string;
  readonly sink: ByteSink;
  readonly done: (error: QueryError | null) => void;
  readonly giveUp: () => void;
}

/** A packet as the driver hands it over (mysql2/lib/packets/packet.js); the object is reused. */
interface RowPacket {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
  isEOF(): boolean;
}

type RowState = (packet: RowPacket, connection: unknown) => unknown;

/** The query command's state while rows come in (mysql2/lib/commands/query.js): it returns the state for the next packet. */
interface QueryCommand {
  row: RowState;
}

/** A fault of the sink ends the stream and is passed on; it must not unwind through the driver's parser. */
export function streamBytes({ connection, sql, sink, done, giveUp }: StreamBytesCall): void {
  let failed: unknown = null;
  let wanted = true;
  let bytesDropped = 0;
  let row = new RowBytes(0);
  const ask = (question: () => boolean): void => {
    try {
      wanted = question();
    } catch (thrown) {
      failed = thrown;
      wanted = false;
    }
  };
  const stop = (): void => {
    done(failed as QueryError | null);
    giveUp();
  };
  const take = (packet: RowPacket): boolean => {
    row.read(packet.buffer, packet.offset, packet.end);
    return sink.onRow(row);
  };
  const drop = (packet: RowPacket): void => {
    bytesDropped += packet.end - packet.offset;
    if (bytesDropped > sink.bytesDroppedMax) stop();
  };
  const command = connection.query({ sql, rowsAsArray: true, typeCast: false });
  const states = command as unknown as QueryCommand;
  const driversRow = states.row;
  const ownRow: RowState = (packet, host) => {
    if (packet.isEOF()) return driversRow.call(states, packet, host);
    if (wanted) ask(() => take(packet));
    else drop(packet);
    return ownRow;
  };
  states.row = ownRow;
  command.on('fields', (fields: FieldPacket[]) => {
    row = new RowBytes(fields.length);
    ask(() => sink.onColumns(fields as unknown as readonly WireColumn[]));
  });
  command.on('result', (result) => {
    // Only a statement without rows may end here (the header of its outcome); a row means that the driver has changed.
    if (!Array.isArray(result)) return;
    failed = new RelayError('INTERNAL', 'mysql2 is not the version that stream-bytes was written for (3.24)');
    stop();
  });
  command.on('error', (error) => {
    failed = error;
  });
  command.on('end', () => done(failed as QueryError | null));
}
