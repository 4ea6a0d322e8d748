/** The codecs read what each client writes, and bear anything: cut off, damaged, or blown up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snappyCompress } from 'hysnappy';
import { seededRandom } from '#testkit';
import { COMPRESSIONS, codecNumber, deflate, inflate } from './codecs.ts';
import { readLz4 } from './lz4.ts';
import { readSnappy } from './snappy.ts';

const CODECS = COMPRESSIONS.filter((each) => each !== 'none');
const BYTES_MAX = 4 * 1024 * 1024;
const TURNS = 2_000;

const line = (n: number): string => `{"n":${n},"text":"the quick brown fox jumps over the lazy dog"}`;
const TEXT = Buffer.from(Array.from({ length: 20 }, (_, n) => line(n)).join(''));
/** Of the same text by the LZ4 project's own tool: linked blocks, checksums of blocks and content, size of the content. */
const LZ4_TOOL = Buffer.from(
  'BCJNGHxAugQAAAAAAACCowAAAPAfeyJuIjowLCJ0ZXh0IjoidGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIB8AoWxhenkgZG9nIn08AB8xPAAo' +
    'HzI8ACgfMzwAKB80PAAoHzU8ACgfNjwAKB83PAAoHzg8ACgfOTwAKB8xWQIqD1oCKR8xWwIpHzFcAikfMV0CKR8xXgIpHzFfAikfMWACKR8xYQIp' +
    'HzFiAh9QZG9nIn01Pn7LAAAAAC7sJoY=',
  'base64',
);

function samples(): Buffer[] {
  const random = seededRandom(7);
  const noise = Buffer.from(Array.from({ length: 200_000 }, () => Math.floor(random() * 256)));
  const mixed = Buffer.concat(
    Array.from({ length: 3_000 }, (_, n) => (random() < 0.5 ? Buffer.from(line(n % 50)) : noise.subarray(n, n + 40))),
  );
  const short = [0, 1, 4, 5, 11, 12, 13, 20, 100, 65_535, 65_536, 65_537].map((length) => Buffer.alloc(length, 'ab'));
  return [...short, TEXT, noise, mixed, Buffer.alloc(1_000_000)];
}

test('what was written is read, whatever it is', async () => {
  for (const codec of CODECS) {
    for (const sample of samples()) {
      const written = await deflate(codec, sample);
      assert.ok(inflate(codecNumber(codec), written, BYTES_MAX).equals(sample), `${codec}, ${sample.length} bytes`);
    }
    const squeezed = await deflate(codec, Buffer.concat(Array.from({ length: 100 }, () => TEXT)));
    assert.ok(squeezed.length < TEXT.length * 10, codec);
  }
});

test('frames of other writers: linked LZ4 blocks with checksums, a checksum of before KIP-57, snappy without a frame', () => {
  assert.ok(readLz4(LZ4_TOOL, BYTES_MAX).equals(TEXT));
  const before = Buffer.from(LZ4_TOOL);
  before[14] = 0;
  assert.ok(readLz4(before, BYTES_MAX).equals(TEXT));
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  assert.ok(readLz4(Buffer.concat([skipped, LZ4_TOOL]), BYTES_MAX).equals(TEXT));
  assert.ok(readSnappy(Buffer.from(snappyCompress(TEXT)), BYTES_MAX).equals(TEXT));
});

test('cut off or damaged bytes are unreadable or other content, and never more than the bound', async () => {
  const random = seededRandom(11);
  const pick = (below: number) => Math.floor(random() * below);
  const inputs: [codec: number, bytes: Buffer][] = [
    [codecNumber('lz4'), LZ4_TOOL],
    [codecNumber('snappy'), Buffer.from(snappyCompress(TEXT))],
  ];
  for (const codec of CODECS) inputs.push([codecNumber(codec), await deflate(codec, TEXT)]);
  for (const [codec, whole] of inputs) {
    let refused = 0;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const bytes = Buffer.from(whole.subarray(0, random() < 0.5 ? whole.length : pick(whole.length)));
      for (let i = pick(4); i > 0 && bytes.length > 0; i -= 1) bytes[pick(bytes.length)] = pick(256);
      try {
        assert.ok(inflate(codec, bytes, BYTES_MAX).length <= BYTES_MAX);
      } catch (thrown) {
        refused += 1;
        assert.equal((thrown as { code?: unknown }).code, 'KAFKA_UNREADABLE');
      }
    }
    assert.ok(refused > TURNS / 4, `codec ${codec}: ${refused} refused`);
  }
});

test('a few bytes that stand for many are refused before they are many', async () => {
  const held = process.memoryUsage().arrayBuffers;
  for (const codec of CODECS) {
    const bomb = await deflate(codec, Buffer.alloc(64 * 1024 * 1024));
    assert.throws(() => inflate(codecNumber(codec), bomb, BYTES_MAX), { code: 'KAFKA_UNREADABLE' });
  }
  // A length that promises four gigabytes.
  const promised = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
  assert.throws(() => inflate(codecNumber('snappy'), promised, BYTES_MAX), { code: 'KAFKA_UNREADABLE' });
  assert.ok(process.memoryUsage().arrayBuffers - held < 256 * 1024 * 1024);
});

test('a codec that nobody knows is named', () => {
  assert.throws(() => inflate(5, TEXT), { code: 'KAFKA_UNREADABLE', message: /codec of number 5/ });
});
