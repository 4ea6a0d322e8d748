/**
 * Many gaps as one bit a position, so that the database can pick the rows that lie in them: the rows between are walked and not
 * sent, and the gaps are not listed one by one.
 */
import { RelayError } from '#runtime';
import type { GapPage, PositionMask } from './ports.ts';

/** Positions of one mask at most, also from a page's name to its last gap: a statement of some 64 KB. */
export const MASK_POSITIONS_MAX = 250_000;

const [ZERO, NINE, PLUS, SLASH, TIMES, SPACE] = [...'09+/x '].map((each) => each.charCodeAt(0)) as [
  ...[number, number, number, number, number, number],
];

/**
 * The gaps of ascending pages, at most MASK_POSITIONS_MAX positions apart. Throws INVARIANT_BROKEN when a page is not what this
 * program writes: what it hides could be rows.
 */
export function maskOf(pages: readonly GapPage[]): PositionMask {
  const first = pages[0]?.first ?? 0n;
  const last = pages.at(-1)?.last ?? -1n;
  const bits = Buffer.alloc(Number((last - first) / 8n) + 1);
  for (const page of pages) {
    const base = Number(page.page - first);
    const [low, high] = [Number(page.first - first), Number(page.last - first)];
    let marked = 0;
    const mark = (from: number, width: number) => {
      for (let at = base + from; at < base + from + width; at += 1) {
        if (at < low || at > high) throw broken(page);
        bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
      }
      marked += width;
    };
    eachRange(page, (from, width, period, teeth) => {
      for (let tooth = 0; tooth < teeth; tooth += 1) mark(from + tooth * period, width);
    });
    if (BigInt(marked) !== page.missing) throw broken(page);
  }
  return { first, last, bits };
}

const broken = ({ page }: GapPage): RelayError => new RelayError('INVARIANT_BROKEN', `gap page ${page} cannot be read`);

/** What `encodeRanges` writes, read with plain numbers: a million gaps are read in a fraction of a second. */
function eachRange(page: GapPage, take: (from: number, width: number, period: number, teeth: number) => void): void {
  const { detail } = page;
  let at = 0;
  const number = (): number => {
    const start = at;
    let value = 0;
    for (let code = detail.charCodeAt(at); code >= ZERO && code <= NINE; code = detail.charCodeAt(at)) {
      value = value * 10 + (code - ZERO);
      at += 1;
    }
    if (at === start || value > MASK_POSITIONS_MAX) throw broken(page);
    return value;
  };
  const skip = (code: number): boolean => {
    if (detail.charCodeAt(at) !== code) return false;
    at += 1;
    return true;
  };
  for (;;) {
    const from = number();
    const width = skip(PLUS) ? number() : 1;
    let period = 0;
    let teeth = 1;
    if (skip(SLASH)) {
      period = number();
      if (!skip(TIMES)) throw broken(page);
      teeth = number();
    }
    take(from, width, period, teeth);
    if (at === detail.length) return;
    if (!skip(SPACE)) throw broken(page);
  }
}
