/** Writes Kafka's primitive types (big-endian, KIP-482 compact forms for flexible versions) into a growing buffer. */
const TWO_32 = 2 ** 32;

/** Writes an int64 given as a safe integer. */
export function putInt64(bytes: Buffer, offset: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / TWO_32), offset);
  bytes.writeUInt32BE(value >>> 0, offset + 4);
}

export class WireWriter {
  bytes: Buffer;
  offset = 0;

  constructor(sizeHint = 256) {
    this.bytes = Buffer.allocUnsafeSlow(sizeHint);
  }

  /** Makes room for `more` bytes at the current offset; the buffer may be replaced. */
  reserve(more: number): void {
    if (this.offset + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.offset + more, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.offset);
    this.bytes = grown;
  }

  /** The bytes written so far, not copied: valid until the writer is used again. */
  written(): Buffer {
    return this.bytes.subarray(0, this.offset);
  }

  int8(value: number): this {
    this.reserve(1);
    this.bytes.writeInt8(value, this.offset);
    this.offset += 1;
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int16(value: number): this {
    this.reserve(2);
    this.bytes.writeInt16BE(value, this.offset);
    this.offset += 2;
    return this;
  }

  int32(value: number): this {
    this.reserve(4);
    this.bytes.writeInt32BE(value, this.offset);
    this.offset += 4;
    return this;
  }

  int64(value: number): this {
    this.reserve(8);
    putInt64(this.bytes, this.offset, value);
    this.offset += 8;
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const length = Buffer.byteLength(value);
    this.int16(length).reserve(length);
    this.bytes.write(value, this.offset);
    this.offset += length;
    return this;
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    items.forEach(write);
    return this;
  }

  unsignedVarint(value: number): this {
    this.reserve(5);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.offset++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[this.offset++] = rest;
    return this;
  }

  compactString(value: string): this {
    const length = Buffer.byteLength(value);
    this.unsignedVarint(length + 1).reserve(length);
    this.bytes.write(value, this.offset);
    this.offset += length;
    return this;
  }

  /** The null of a compact string. */
  compactNull(): this {
    return this.unsignedVarint(0);
  }

  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.unsignedVarint(items.length + 1);
    items.forEach(write);
    return this;
  }

  /** As `WireReader.uuid` reads it. */
  uuid(id: string): this {
    this.reserve(16);
    Buffer.from(id, 'base64url').copy(this.bytes, this.offset, 0, 16);
    this.offset += 16;
    return this;
  }

  /** The empty tag buffer that ends every structure of a flexible version. */
  noTags(): this {
    return this.unsignedVarint(0);
  }
}
