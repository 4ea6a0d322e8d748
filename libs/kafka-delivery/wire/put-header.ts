/** Headers as an object, whose names are a stranger's: `constructor` and `__proto__` are names like any other. */

/** A name that occurs several times gets a list, in time that grows with their number only. */
export function putHeader<Value extends Buffer | null>(
  headers: Record<string, Value | Value[]>,
  name: string,
  value: Value,
): void {
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (Array.isArray(before)) before.push(value);
  else putOwn(headers, name, before === undefined ? value : [before, value]);
}

export function putOwn<Value>(object: Record<string, Value>, name: string, value: Value): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
