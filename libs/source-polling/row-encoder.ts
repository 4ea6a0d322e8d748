/**
 * Turns a result row, as bytes off the wire, into a message: exact JSON, key, topic, position.
 *
 * | column | JSON |
 * |---|---|
 * | integers, DECIMAL, DOUBLE, YEAR | number, digits as the server prints them (no leading zeros); `tinyint(1)` is 0 or 1 |
 * | FLOAT | number, the shortest that reads back as the same 32-bit float |
 * | DATE, TIME, DATETIME, TIMESTAMP | string as the server prints it, `2026-01-02 03:04:05.123456`, TIMESTAMP in UTC; zero dates too |
 * | CHAR, VARCHAR, TEXT, ENUM, SET, UUID, INET4, INET6 | string |
 * | JSON | embedded; a value that is not JSON (MariaDB with its check off) is a string |
 * | BINARY, VARBINARY, BLOB, BIT, GEOMETRY, VECTOR | string, base64 of the bytes as the server sends them |
 * | NULL | null |
 */
import type { RowBytes } from '#database';
import type { SourceRow } from '#outbox';
import { ByteWriter } from './byte-writer.ts';
import type { ColumnKind } from './column-kinds.ts';
import { floatText } from './float-text.ts';
import type { PlanColumn, ReadPlan } from './read-plan.ts';

const NULL = Buffer.from('null', 'latin1');
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Below this many digits a number is exact, and quicker to make a bigint of than text is. */
const SAFE_DIGITS = 15;

interface Member {
  /** `,"name":` with the comma or brace in front. */
  readonly prefix: Buffer;
  readonly column: PlanColumn;
  readonly kind: ColumnKind;
}

export const positionOf = (digits: string): bigint =>
  digits.length <= SAFE_DIGITS ? BigInt(Number(digits)) : BigInt(digits);

/** ZEROFILL puts zeros in front, which belong neither in the event id nor in the JSON. */
export function positionDigits(row: RowBytes, at: number): string {
  const digits = row.text(at, 'latin1');
  return digits.startsWith('0') ? BigInt(digits).toString() : digits;
}

/** A column's value as bytes: the text of its JSON without quotes and escapes; null for NULL. */
export function plainValue(writer: ByteWriter, row: RowBytes, column: PlanColumn, kind: ColumnKind): Buffer | null {
  if (row.isNull(column.at)) return null;
  const from = row.starts[column.at] as number;
  const to = row.ends[column.at] as number;
  switch (kind) {
    case 'number':
      writer.number(row.bytes, from, to);
      break;
    case 'float':
      writer.ascii(floatText(row.text(column.doubleAt as number, 'latin1')));
      break;
    case 'base64':
      writer.base64(row.slice(column.at) as Buffer);
      break;
    default:
      writer.raw(row.bytes, from, to);
  }
  return writer.take();
}

function isJson(value: Buffer): boolean {
  try {
    JSON.parse(value.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

export class RowEncoder {
  readonly #plan: ReadPlan;
  readonly #kinds: readonly ColumnKind[];
  readonly #members: readonly Member[];
  readonly #writer: ByteWriter;
  readonly #eventPrefix: string;

  constructor(plan: ReadPlan, kinds: readonly ColumnKind[], writer: ByteWriter = new ByteWriter()) {
    this.#plan = plan;
    this.#kinds = kinds;
    this.#writer = writer;
    this.#eventPrefix = `${plan.sourceName}:`;
    this.#members = plan.jsonColumns.map((column, index) => ({
      prefix: Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(column.name)}:`, 'utf8'),
      column,
      kind: kinds[column.at] as ColumnKind,
    }));
  }

  encode(row: RowBytes): SourceRow {
    const digits = this.#digits(row);
    return {
      position: positionOf(digits),
      eventId: this.#eventPrefix + digits,
      topic: this.#topic(row),
      key: this.#key(row),
      value: this.#json(row),
      headers: null,
    };
  }

  positionAndKey(row: RowBytes): { readonly position: bigint; readonly key: Buffer | null } {
    return { position: positionOf(this.#digits(row)), key: this.#key(row) };
  }

  #digits(row: RowBytes): string {
    return positionDigits(row, this.#plan.position.at);
  }

  /** The key column's value: the text of the JSON without quotes and escapes; null for NULL and without a key column. */
  #key(row: RowBytes): Buffer | null {
    const column = this.#plan.key;
    return column === null ? null : plainValue(this.#writer, row, column, this.#kinds[column.at] as ColumnKind);
  }

  /** An empty topic says that the row has none: the sender takes that as the row's own fault. */
  #topic(row: RowBytes): string {
    const column = this.#plan.topic;
    return column === null || row.isNull(column.at) ? this.#plan.fallbackTopic : row.text(column.at);
  }

  #json(row: RowBytes): Buffer {
    const writer = this.#writer;
    const members = this.#members;
    if (members.length === 0) writer.byte(OPEN_BRACE);
    for (let i = 0; i < members.length; i += 1) {
      const member = members[i] as Member;
      writer.raw(member.prefix);
      const from = row.starts[member.column.at] as number;
      const to = row.ends[member.column.at] as number;
      if (from < 0) writer.raw(NULL);
      else if (member.kind === 'text') writer.string(row.bytes, from, to);
      else if (member.kind === 'number') writer.number(row.bytes, from, to);
      else this.#rare(member, row.slice(member.column.at) as Buffer, row);
    }
    writer.byte(CLOSE_BRACE);
    return writer.take();
  }

  #rare(member: Member, value: Buffer, row: RowBytes): void {
    const writer = this.#writer;
    switch (member.kind) {
      case 'float':
        writer.ascii(floatText(row.text(member.column.doubleAt as number, 'latin1')));
        break;
      case 'json':
        writer.raw(value);
        break;
      case 'checked-json':
        if (isJson(value)) writer.raw(value);
        else writer.string(value);
        break;
      default:
        writer.ascii(`"${value.toString('base64')}"`);
    }
  }
}
