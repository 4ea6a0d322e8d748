/**
 * Anything that can be thrown, as short texts. Handlers, plugins and drivers throw what they like: values without a prototype, proxies
 * and getters that throw themselves, messages of megabytes. Whoever has caught one must not fail by looking at it.
 */
import { types } from 'node:util';

export interface ThrownFacts {
  /** Name of an error's class, or the kind of the value. */
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** As drivers and Node set it. */
  readonly code: string | number | null;
}

/** Brokers and logs take no more of a text; a stack has no end of its own. */
export const THROWN_TEXT_CHARACTERS_MAX = 4_000;
const NAME_CHARACTERS_MAX = 200;
const UNKNOWN = 'a value that cannot be shown';

const cut = (text: string, charactersMax: number): string =>
  text.length > charactersMax ? `${text.slice(0, charactersMax)}...` : text;

function attempt<Result>(read: () => Result, otherwise: Result): Result {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** A text property; null where it is none, or cannot be read. */
function textOf(value: object, name: string, charactersMax: number): string | null {
  const found = attempt<unknown>(() => (value as Record<string, unknown>)[name], null);
  return typeof found === 'string' ? cut(found, charactersMax) : null;
}

function codeOf(value: object): string | number | null {
  const found = attempt<unknown>(() => (value as { readonly code?: unknown }).code, null);
  if (typeof found === 'string') return cut(found, NAME_CHARACTERS_MAX);
  return typeof found === 'number' ? found : null;
}

/** Of objects that say what they are, that; of others, of lists above all, which may be endless, their kind. */
function shown(value: object): string {
  const message = textOf(value, 'message', THROWN_TEXT_CHARACTERS_MAX);
  if (message !== null) return message;
  if (attempt(() => Array.isArray(value) || ArrayBuffer.isView(value), true))
    return attempt(() => kindOf(value), UNKNOWN);
  return attempt(() => cut(String(value), THROWN_TEXT_CHARACTERS_MAX), UNKNOWN);
}

const kindOf = (value: object): string => Object.prototype.toString.call(value);

/** True of errors of any realm. Never throws, as `instanceof` does of some proxies. */
export const isError = (thrown: unknown): thrown is Error =>
  types.isNativeError(thrown) || attempt(() => thrown instanceof Error, false);

/** Whether the value is of the class. Never throws. */
export const isOfClass = <Class>(thrown: unknown, of: abstract new (...args: never[]) => Class): thrown is Class =>
  attempt(() => thrown instanceof of, false);

/** Never throws, and never runs for long. */
export function describeThrown(thrown: unknown): ThrownFacts {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) {
    const message = attempt(() => cut(String(thrown), THROWN_TEXT_CHARACTERS_MAX), UNKNOWN);
    return { name: thrown === null ? 'null' : typeof thrown, message, stack: null, code: null };
  }
  const code = codeOf(thrown);
  if (!isError(thrown)) return { name: typeof thrown, message: shown(thrown), stack: null, code };
  const name = textOf(thrown, 'name', NAME_CHARACTERS_MAX) || 'Error';
  const message = textOf(thrown, 'message', THROWN_TEXT_CHARACTERS_MAX) ?? UNKNOWN;
  return { name, message, stack: textOf(thrown, 'stack', THROWN_TEXT_CHARACTERS_MAX), code };
}

/** The property of an error or object, read without risk; undefined where it cannot be read. */
export const propertyOf = (thrown: unknown, name: string): unknown =>
  attempt(() => (thrown as Record<string, unknown> | null | undefined)?.[name], undefined);
