/** How many lanes (or sources) each live member holds: shares differ by at most one and add up exactly. */

/** Share of `me` in `count` things among the live members; every member computes the same from the same list. */
export function fairShare(count: number, members: readonly string[], me: string): number {
  const sorted = [...new Set([...members, me])].sort();
  const rank = sorted.indexOf(me);
  return Math.floor(count / sorted.length) + (rank < count % sorted.length ? 1 : 0);
}
