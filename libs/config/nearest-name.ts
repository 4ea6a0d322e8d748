/** The known name that a mistyped one most likely meant. */

/** A mistake in at most this share of the letters still counts as a mistyped name. */
const MISTYPED_SHARE = 0.35;

/** Edit distance that counts a swap of two neighbours as one edit. */
export function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(current[column - 1]! + 1, previous[column]! + 1, previous[column - 1]! + (same ? 0 : 1));
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length]!;
}

/** The nearest of `known`, or null when none is near. A known name that begins or ends with the given one is near too. */
export function nearestName(name: string, known: readonly string[]): string | null {
  let nearest: { readonly name: string; readonly distance: number } | null = null;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (nearest === null || distance < nearest.distance) nearest = { name: candidate, distance };
  }
  if (nearest !== null && nearest.distance <= Math.ceil(name.length * MISTYPED_SHARE)) return nearest.name;
  return known.find((candidate) => candidate.endsWith(`_${name}`) || candidate.startsWith(`${name}_`)) ?? null;
}
