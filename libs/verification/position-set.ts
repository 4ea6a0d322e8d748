/**
 * A set of 64-bit positions in pages of 65,536: a page is a sorted list while it holds few and a bitmap from then on, so that
 * neither dense nor sparse ids cost much (dense: one bit a position; sparse: two bytes and the page's entry in the map).
 */

const PAGE_BITS = 16n;
const PAGE_MASK = 0xffffn;
const BITMAP_BYTES = 8192;
/** A list longer than this takes more than the bitmap. */
const LIST_MAX = 4096;
const LIST_START = 8;
/** Positions written with at most this many digits are exact as a number, which is much faster to split than a bigint. */
const SAFE_DIGITS = 15;

interface Page {
  /** Ascending; the first `count` entries are in use. Null once the page is a bitmap. */
  list: Uint16Array | null;
  bitmap: Uint8Array | null;
  count: number;
}

export class PositionSet {
  readonly #pages = new Map<number, Page>();
  #size = 0;
  /** The page of the last call: neighbours come together. */
  #lastKey = Number.NaN;
  #lastPage: Page | undefined;

  get size(): number {
    return this.#size;
  }

  /** True when the position was not there yet. */
  add(position: bigint): boolean {
    // A shift by 16 makes any 64-bit position a safe number; negative ones stay apart by their page.
    return this.#add(Number(position >> PAGE_BITS), Number(position & PAGE_MASK));
  }

  /** The same for a position written in decimal digits. */
  addText(digits: string): boolean {
    if (digits.length > SAFE_DIGITS) return this.add(BigInt(digits));
    const position = Number(digits);
    const page = Math.floor(position / 65_536);
    return this.#add(page, position - page * 65_536);
  }

  has(position: bigint): boolean {
    const page = this.#pageOf(Number(position >> PAGE_BITS));
    if (!page) return false;
    const low = Number(position & PAGE_MASK);
    if (page.bitmap) return ((page.bitmap[low >> 3] as number) & (1 << (low & 7))) !== 0;
    const at = findPlace(page, low);
    return at < page.count && page.list?.[at] === low;
  }

  #pageOf(key: number): Page | undefined {
    if (key !== this.#lastKey) {
      this.#lastKey = key;
      this.#lastPage = this.#pages.get(key);
    }
    return this.#lastPage;
  }

  #add(key: number, low: number): boolean {
    let page = this.#pageOf(key);
    if (!page) {
      page = { list: new Uint16Array(LIST_START), bitmap: null, count: 0 };
      this.#pages.set(key, page);
      this.#lastPage = page;
    }
    const added = page.bitmap ? addBit(page.bitmap, low) : addToList(page, low);
    if (added) {
      page.count += 1;
      this.#size += 1;
    }
    return added;
  }
}

function addBit(bitmap: Uint8Array, low: number): boolean {
  const bit = 1 << (low & 7);
  const byte = bitmap[low >> 3] as number;
  if (byte & bit) return false;
  bitmap[low >> 3] = byte | bit;
  return true;
}

/** Index of the first entry that is not below `low`. */
function findPlace({ list, count }: Page, low: number): number {
  if (list === null || count === 0 || (list[count - 1] as number) < low) return count;
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((list[middle] as number) < low) from = middle + 1;
    else to = middle;
  }
  return from;
}

function addToList(page: Page, low: number): boolean {
  const at = findPlace(page, low);
  let list = page.list as Uint16Array;
  if (at < page.count && list[at] === low) return false;
  if (page.count === LIST_MAX) {
    const bitmap = new Uint8Array(BITMAP_BYTES);
    for (const entry of list) addBit(bitmap, entry);
    page.bitmap = bitmap;
    page.list = null;
    return addBit(bitmap, low);
  }
  if (page.count === list.length) {
    list = new Uint16Array(list.length * 2);
    list.set(page.list as Uint16Array);
    page.list = list;
  }
  list.copyWithin(at + 1, at, page.count);
  list[at] = low;
  return true;
}
