/** An address as people and other programs write it: an IPv6 address stands in brackets before its port. */
export const addressText = (host: string, port: number | string): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
