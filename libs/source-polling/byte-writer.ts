/**
 * Writes the JSON of rows byte by byte into shared slabs: the text of a column comes off the wire as UTF-8 and goes to
 * Kafka as UTF-8, so turning it into a JavaScript string in between would cost more than everything else together.
 * The buffers handed out by `take` share their slab's memory: they are good for a batch, not for keeping.
 */

/** One slab holds about two hundred rows of 300 bytes; bigger rows get a slab of their own. */
const SLAB_BYTES = 64 * 1024;
/** Above this length the escaped size is counted first instead of reserving the worst case of six bytes a byte. */
const WORST_CASE_BYTES_MAX = 4096;
const ESCAPE_FACTOR = 6;

const HEX = Buffer.from('0123456789abcdef', 'latin1');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** Lead byte of U+D000..U+DFFF; with a second byte from 0xa0 it is half of a surrogate pair. */
const SURROGATE_LEAD = 0xed;

/** The letter after the backslash for control bytes that have a short escape, 0 for those that do not. */
const SHORT_ESCAPES = new Uint8Array(32);
SHORT_ESCAPES[0x08] = 0x62;
SHORT_ESCAPES[0x09] = 0x74;
SHORT_ESCAPES[0x0a] = 0x6e;
SHORT_ESCAPES[0x0c] = 0x66;
SHORT_ESCAPES[0x0d] = 0x72;

/** Half a surrogate pair on its own: UCS-2 columns can hold one, UTF-8 proper cannot, JSON can as an escape. */
function isSurrogate(source: Uint8Array, at: number, to: number): boolean {
  return at + 2 < to && (source[at + 1] as number) >= 0xa0;
}

function escapedLength(source: Uint8Array, from: number, to: number): number {
  let length = to - from;
  for (let i = from; i < to; i += 1) {
    const byte = source[i] as number;
    if (byte < 0x20) length += ESCAPE_FACTOR - 1;
    else if (byte === QUOTE || byte === BACKSLASH) length += 1;
    else if (byte === SURROGATE_LEAD) length += ESCAPE_FACTOR;
  }
  return length;
}

export class ByteWriter {
  // Allocated on the first write, so that an idle poll costs nothing.
  #slab: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** What was written since the last `take`; shares the slab's memory. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#slab[this.#end] = value;
    this.#end += 1;
  }

  /** The bytes source[from, to) as they are. */
  raw(source: Uint8Array, from = 0, to = source.length): void {
    const length = to - from;
    this.#reserve(length);
    const slab = this.#slab;
    let end = this.#end;
    // A call into native code costs as much as copying some dozens of bytes here.
    if (length <= 48) for (let i = from; i < to; i += 1) slab[end++] = source[i] as number;
    else {
      slab.set(source.subarray(from, to), end);
      end += length;
    }
    this.#end = end;
  }

  /** ASCII text as it is. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#end += this.#slab.write(text, this.#end, 'latin1');
  }

  /** A number as the server printed it, without the zeros that ZEROFILL and YEAR put in front (JSON forbids them). */
  number(source: Uint8Array, start = 0, to = source.length): void {
    let from = start;
    while (from < to - 1 && source[from] === 0x30 && isDigit(source[from + 1] as number)) from += 1;
    this.raw(source, from, to);
  }

  base64(source: Buffer): void {
    this.ascii(source.toString('base64'));
  }

  /** UTF-8 text as a JSON string, quotes included. */
  string(source: Uint8Array, from = 0, to = source.length): void {
    const length = to - from;
    this.#reserve(2 + (length <= WORST_CASE_BYTES_MAX ? length * ESCAPE_FACTOR : escapedLength(source, from, to)));
    const slab = this.#slab;
    let end = this.#end;
    slab[end++] = QUOTE;
    for (let i = from; i < to; i += 1) {
      const byte = source[i] as number;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH && byte !== SURROGATE_LEAD) {
        slab[end++] = byte;
      } else if (byte !== SURROGATE_LEAD) {
        end = this.#escape(byte, end);
      } else if (isSurrogate(source, i, to)) {
        const unit = 0xd000 | (((source[i + 1] as number) & 0x3f) << 6) | ((source[i + 2] as number) & 0x3f);
        end = this.#unicodeEscape(unit, end);
        i += 2;
      } else {
        slab[end++] = byte;
      }
    }
    slab[end++] = QUOTE;
    this.#end = end;
  }

  #escape(byte: number, at: number): number {
    const short = byte < 0x20 ? (SHORT_ESCAPES[byte] as number) : byte;
    if (short === 0) return this.#unicodeEscape(byte, at);
    this.#slab[at] = BACKSLASH;
    this.#slab[at + 1] = short;
    return at + 2;
  }

  #unicodeEscape(unit: number, at: number): number {
    const slab = this.#slab;
    slab[at] = BACKSLASH;
    slab[at + 1] = LETTER_U;
    for (let i = 0; i < 4; i += 1) slab[at + 2 + i] = HEX[(unit >> (12 - 4 * i)) & 0xf] as number;
    return at + ESCAPE_FACTOR;
  }

  /** Makes room; what was written since the last `take` moves along to the new slab. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#slab.length) return;
    const written = this.#end - this.#start;
    const grown = written === 0 ? bytes : Math.max(bytes + written, written * 2);
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, grown));
    slab.set(this.#slab.subarray(this.#start, this.#end), 0);
    this.#slab = slab;
    this.#start = 0;
    this.#end = written;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
