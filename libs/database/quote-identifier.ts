/** Identifiers for SQL text: checked against an allow-list first, then quoted with backticks. */
import { RelayError } from '#runtime';

const ALLOWED = /^[A-Za-z0-9_$]{1,64}$/;

/** `name` or `schema.name`, each part quoted. Throws CONFIG_INVALID for anything outside letters, digits, `_` and `$`. */
export function quoteIdentifier(name: string): string {
  const parts = name.split('.');
  if (parts.length > 2 || !parts.every((part) => ALLOWED.test(part))) {
    throw new RelayError(
      'CONFIG_INVALID',
      `"${name.slice(0, 130)}" is not a name of letters, digits, _ and $, 64 at most, optionally after schema.`,
    );
  }
  return parts.map((part) => `\`${part}\``).join('.');
}
