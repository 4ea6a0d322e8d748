/** Which Redis is meant, and how one logs in there. */
import { parseRedisAddress, type RedisAddress, RelayError } from '#runtime';

/** PEM texts; null where unset. */
export interface RedisTls {
  /** Null means the system's authorities. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** True: check the certificate and the host name. */
  readonly verify: boolean;
  /** The files that the texts came from, read anew for each connection; null where a text was given. */
  readonly files: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
}

export interface RedisLogin {
  readonly username: string | null;
  readonly password: string | null;
}

export interface RedisTarget {
  readonly address: RedisAddress;
  readonly login: RedisLogin;
  /** Of the sentinels, where they want one. */
  readonly sentinelLogin: RedisLogin;
  /** Null: not encrypted. */
  readonly tls: RedisTls | null;
}

const UNSET = { ca: null, cert: null, key: null };

/**
 * An address without more settings: TLS checks the server by the system's authorities. `name` says where it stood. Throws
 * CONFIG_INVALID for what is no address.
 */
export function targetOf(url: string, name = 'the address of Redis'): RedisTarget {
  // An application without types may give none.
  const parsed = parseRedisAddress(typeof url === 'string' ? url : '');
  // It may hold a password, so that it is not repeated.
  if ('problem' in parsed) throw new RelayError('CONFIG_INVALID', `${name} is not allowed; ${parsed.problem}`);
  const { address } = parsed;
  const { username, password, tls } = address;
  return {
    address,
    login: { username, password },
    sentinelLogin: { username: null, password: null },
    tls: tls ? { ...UNSET, verify: true, files: UNSET } : null,
  };
}
