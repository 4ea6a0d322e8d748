/** Hosts and brokers in settings: what people write into them beside a name, and what to write instead. */
import { isIP, isIPv6 } from 'node:net';

type Parsed = { readonly value: string } | { readonly hint: string };

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;
const NAME = /^[^\s\p{Cc}:/@?#[\]\\,]+$/u;

/** A name or an address; an IPv6 address with or without brackets, without them as a value. */
export function parseHost(raw: string, portSetting: string): Parsed {
  const text = raw.trim();
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (isIP(bare) !== 0 && (bare === text || isIPv6(bare))) return { value: bare };
  if (SCHEME.test(text)) return { hint: 'give the host alone, without a scheme and what follows the host in a URL' };
  if (/^([^:]+|\[.*\]):\d*$/.test(text)) return { hint: `give the host alone: the port is ${portSetting}` };
  return NAME.test(text) ? { value: text } : { hint: 'give the name of a host, or its address' };
}

/** What is wrong with one bootstrap server, as what to give instead; null when nothing is. */
export function brokerFault(entry: string): string | null {
  const [, six, name, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(entry) ?? [];
  const isPort = port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
  if (isPort && (six !== undefined ? isIPv6(six) : NAME.test(name ?? ''))) return null;
  if (SCHEME.test(entry)) return 'give host:port without a scheme such as PLAINTEXT:// before it';
  if (/^[0-9a-f]*:[0-9a-f.]*:[0-9a-f:.]*$/i.test(entry)) return 'give an IPv6 address in brackets, such as [::1]:9092';
  return 'give host:port, several separated by commas';
}
