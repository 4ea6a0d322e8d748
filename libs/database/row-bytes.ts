/**
 * A row of a text result as it lies in the driver's receive buffer: where each column begins and ends. One object serves all
 * rows of a result; a Buffer for each column of each row was half of what reading cost.
 * Protocol: dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
 */
import { RelayError } from '#runtime';

const NULL_MARK = 0xfb;
const TWO_BYTES = 0xfc;
const THREE_BYTES = 0xfd;
const EIGHT_BYTES = 0xfe;
const TWO_32 = 0x1_0000_0000;
const NOTHING = Buffer.alloc(0);

export class RowBytes {
  /** Shared with other rows, and reused by the driver: copy, or take slices of, what is kept. */
  bytes: Buffer = NOTHING;
  /** By column; -1 is NULL. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;

  constructor(columns: number) {
    this.starts = new Int32Array(columns);
    this.ends = new Int32Array(columns);
  }

  /** Points to the row in bytes[offset, end). Throws INTERNAL when it is not a row of so many columns. */
  read(bytes: Buffer, offset: number, end: number): void {
    this.bytes = bytes;
    const { starts, ends } = this;
    let at = offset;
    for (let column = 0; column < starts.length; column += 1) {
      let length = bytes[at] as number;
      at += 1;
      if (length === NULL_MARK) {
        starts[column] = -1;
        ends[column] = -1;
        continue;
      }
      if (length > NULL_MARK) {
        const width = widthOf(length);
        length = lengthAt(bytes, at, width);
        at += width;
      }
      starts[column] = at;
      at += length;
      ends[column] = at;
    }
    if (at !== end) throw new RelayError('INTERNAL', 'a row of a result is not as long as its columns say');
  }

  isNull(column: number): boolean {
    return (this.starts[column] as number) < 0;
  }

  /** The column's bytes, in the memory of the row; null is NULL. */
  slice(column: number): Buffer | null {
    const start = this.starts[column] as number;
    return start < 0 ? null : this.bytes.subarray(start, this.ends[column]);
  }

  /** The column's text; the caller knows that it is not NULL. */
  text(column: number, encoding: 'utf8' | 'latin1' = 'utf8'): string {
    return this.bytes.toString(encoding, this.starts[column], this.ends[column]);
  }
}

function widthOf(mark: number): number {
  if (mark === TWO_BYTES) return 2;
  if (mark === THREE_BYTES) return 3;
  if (mark === EIGHT_BYTES) return 8;
  throw new RelayError('INTERNAL', 'a column of a result has no length');
}

function lengthAt(bytes: Buffer, at: number, width: number): number {
  if (width < 8) return bytes.readUIntLE(at, width);
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * TWO_32;
}
