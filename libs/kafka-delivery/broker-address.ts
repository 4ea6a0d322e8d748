/** A broker's address in a setting. */
import { RelayError } from '#runtime';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[ipv6]:port`. Throws CONFIG_INVALID. */
export function parseBroker(text: string): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^[\]:/\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw new RelayError('CONFIG_INVALID', `"${text}" is not a broker address: host:port is expected`);
  }
  return { host: (match[1] ?? match[2]) as string, port };
}
