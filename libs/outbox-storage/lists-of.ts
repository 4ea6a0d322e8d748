/** Cuts a list into lists of at most so many, for statements that take no more. */
export function* listsOf<T>(items: readonly T[], most: number): Generator<readonly T[], void, void> {
  for (let at = 0; at < items.length; at += most) yield items.slice(at, at + most);
}
