/** How a value is shown without the secret in it. */
import { showRedisAddress } from '#runtime';
import type { Mask } from './setting.ts';
import { splitCommand } from './split-command.ts';

export const MASKED = '***';
const SHOWN_LENGTH_MAX = 120;
const PEM_BEGIN = '-----BEGIN';

/** Protocol, host, port and path of a URL; credentials and query are hidden. What is no URL is hidden whole. */
export function maskUrl(raw: string): string {
  if (!URL.canParse(raw)) return MASKED;
  const url = new URL(raw);
  const credentials = url.username === '' && url.password === '' ? '' : `${MASKED}@`;
  const query = url.search === '' ? '' : `?${MASKED}`;
  return `${url.protocol}//${credentials}${url.host}${url.pathname}${query}`;
}

export function isPem(raw: string): boolean {
  return raw.includes(PEM_BEGIN);
}

/** The program alone. */
function maskCommand(raw: string): string {
  const split = splitCommand(raw);
  if ('hint' in split) return MASKED;
  const [program, ...rest] = split.value;
  return rest.length === 0 ? program : `${program} ${MASKED}`;
}

export function maskValue(raw: string, mask: Mask): string {
  switch (mask) {
    case 'none':
      return raw;
    case 'all':
      return MASKED;
    case 'url':
      return maskUrl(raw);
    case 'redis':
      return showRedisAddress(raw);
    case 'command':
      return maskCommand(raw);
    case 'pem':
      return isPem(raw) || /[\r\n]/.test(raw) ? '(PEM text)' : raw;
  }
}

/**
 * A refused value for the message about it: quoted, bounded, and without anything that looks like credentials before
 * an @, since somebody will paste a URL into the wrong setting. Values of masked settings are not quoted at all.
 */
export function quoteRefused(raw: string, mask: Mask): string {
  if (mask !== 'none') return 'the value';
  const safe = raw.replace(/^.*@/s, `${MASKED}@`);
  return JSON.stringify(safe.length > SHOWN_LENGTH_MAX ? `${safe.slice(0, SHOWN_LENGTH_MAX)}...` : safe);
}
