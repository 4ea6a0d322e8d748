/** Reads Kafka's primitive types. Reading past the end throws RangeError, which callers turn into a fault. */
const TWO_32 = 2 ** 32;

export class WireReader {
  readonly bytes: Buffer;
  offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  int8(): number {
    const value = this.bytes.readInt8(this.offset);
    this.offset += 1;
    return value;
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.offset);
    this.offset += 2;
    return value;
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.offset);
    this.offset += 4;
    return value;
  }

  /** Exact for safe integers, which offsets, producer ids and timestamps are. */
  int64(): number {
    const high = this.bytes.readInt32BE(this.offset);
    const low = this.bytes.readUInt32BE(this.offset + 4);
    this.offset += 8;
    return high * TWO_32 + low;
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.take(length).toString('utf8');
  }

  /** A view of the next `length` bytes, not a copy. */
  take(length: number): Buffer {
    if (this.offset + length > this.bytes.length) throw new RangeError('read past the end of a response');
    const view = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return view;
  }

  /** Int32-sized bytes; null and empty both read as empty. */
  bytesOf(): Buffer {
    return this.take(Math.max(this.int32(), 0));
  }

  array<T>(read: () => T): T[] {
    const items: T[] = [];
    const length = this.int32();
    for (let i = 0; i < length; i += 1) items.push(read());
    return items;
  }

  unsignedVarint(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.bytes[this.offset++];
      if (byte === undefined || shift > 28) throw new RangeError('malformed varint in a response');
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
      shift += 7;
    }
  }

  /** Zigzag varint of at most 32 bits. */
  varint(): number {
    const raw = this.unsignedVarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  compactString(): string | null {
    const length = this.unsignedVarint();
    return length === 0 ? null : this.take(length - 1).toString('utf8');
  }

  compactArray<T>(read: () => T): T[] {
    const items: T[] = [];
    const length = this.unsignedVarint() - 1;
    for (let i = 0; i < length; i += 1) items.push(read());
    return items;
  }

  /** Sixteen bytes as 22 characters of base64url, as Kafka's tools print them; null for the id that stands for none. */
  uuid(): string | null {
    const bytes = this.take(16);
    return bytes.every((byte) => byte === 0) ? null : bytes.toString('base64url');
  }

  /** A view, not a copy; null and empty both read as empty. */
  compactBytes(): Buffer {
    return this.take(Math.max(this.unsignedVarint() - 1, 0));
  }

  /** Tagged fields of a flexible version: none of them concerns us. */
  skipTags(): void {
    const tags = this.unsignedVarint();
    for (let i = 0; i < tags; i += 1) {
      this.unsignedVarint();
      this.take(this.unsignedVarint());
    }
  }
}
