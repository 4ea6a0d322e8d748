/**
 * Addresses of Redis: one server, a cluster by some of its nodes, or a primary by its sentinels. With `rediss` in front the
 * connections are encrypted. Everything that is refused is told in one line without the password.
 */

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly nodes: readonly [RedisNode, ...RedisNode[]];
  readonly tls: boolean;
  /** Null: not in the address. */
  readonly username: string | null;
  readonly password: string | null;
}

export type RedisAddress =
  | (Common & { readonly kind: 'server'; readonly db: number })
  | (Common & { readonly kind: 'cluster' })
  | (Common & { readonly kind: 'sentinel'; readonly name: string; readonly db: number });

export type ParsedRedisAddress = { readonly address: RedisAddress } | { readonly problem: string };

const SCHEME = /^(redis|rediss)(?:-(cluster|sentinel))?:\/\/([^/?#]*)(?:\/([^?#]*))?([?#].*)?$/;
const NODE = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:@[\]]+))(?::(\d{1,5}))?$/;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;
const PORT_MAX = 65_535;
const NODES_MAX = 100;

export const REDIS_ADDRESS_TYPE =
  'redis://host:port/db, redis-cluster://host:port,host:port or redis-sentinel://host:port,host:port/name, with rediss for TLS';

function parseNodes(text: string, port: number): readonly [RedisNode, ...RedisNode[]] | null {
  const nodes = text.split(',').map((part): RedisNode | null => {
    const [, six, name, given] = NODE.exec(part.trim()) ?? [];
    const host = six ?? name;
    const number = given === undefined ? port : Number(given);
    return host === undefined || number < 1 || number > PORT_MAX ? null : { host, port: number };
  });
  const [first, ...rest] = nodes.filter((node) => node !== null);
  if (first === undefined || rest.length + 1 !== nodes.length || nodes.length > NODES_MAX) return null;
  return [first, ...rest];
}

function decoded(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseLogin(login: string | null): Pick<Common, 'username' | 'password'> {
  const [username, ...password] = login === null ? [] : login.split(':');
  return { username: decoded(username), password: decoded(password.join(':')) };
}

/** `[name, db]` of the path; null: neither fits. */
function parseDb(text: string): number | null {
  if (text === '') return 0;
  return /^\d{1,5}$/.test(text) ? Number(text) : null;
}

export function parseRedisAddress(raw: string): ParsedRedisAddress {
  const [matched, scheme, mode, authority = '', path = '', rest = ''] = SCHEME.exec(raw.trim()) ?? [];
  if (matched === undefined) return { problem: `give ${REDIS_ADDRESS_TYPE}` };
  if (rest !== '')
    return {
      problem: 'leave out what follows ? or #: a user and a password go in front of the @ or into their own settings',
    };
  const at = authority.lastIndexOf('@');
  const nodes = parseNodes(authority.slice(at + 1), mode === 'sentinel' ? SENTINEL_PORT : REDIS_PORT);
  if (nodes === null) return { problem: `host and port cannot be read; give ${REDIS_ADDRESS_TYPE}` };
  const common = { nodes, tls: scheme === 'rediss', ...parseLogin(at < 0 ? null : authority.slice(0, at)) };
  if (mode === 'cluster') {
    if (path !== '' && path !== '0')
      return { problem: 'a cluster has only the database 0; leave out what follows the /' };
    return { address: { kind: 'cluster', ...common } };
  }
  if (mode === 'sentinel') {
    const [name = '', db = '', ...more] = path.split('/').map((part) => decoded(part) ?? '');
    const number = parseDb(db);
    if (name === '' || number === null || more.length > 0) {
      return {
        problem: 'sentinels know the primary by a name; give redis-sentinel://host:port,host:port/name or ../name/db',
      };
    }
    return { address: { kind: 'sentinel', ...common, name, db: number } };
  }
  if (nodes.length > 1) {
    return { problem: 'names several hosts; say what they are: redis-cluster://.. or redis-sentinel://../name' };
  }
  const number = parseDb(path);
  if (number === null) return { problem: 'what follows the / is the number of the database' };
  return { address: { kind: 'server', ...common, db: number } };
}

/** The address as it may be shown: without user and password. Never throws. */
export function showRedisAddress(raw: string): string {
  const parsed = parseRedisAddress(raw);
  if ('problem' in parsed) return '***';
  const { address } = parsed;
  const { kind, nodes, tls } = address;
  const scheme = `${tls ? 'rediss' : 'redis'}${kind === 'server' ? '' : `-${kind}`}`;
  const login = address.username === null && address.password === null ? '' : '***@';
  const hosts = nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
  const name = kind === 'sentinel' ? `/${address.name}` : '';
  const db = kind !== 'cluster' && address.db > 0 ? `/${address.db}` : '';
  return `${scheme}://${login}${hosts}${name}${db}`;
}
