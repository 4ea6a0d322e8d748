/** Encryption of the connections to Redis, which the address turns on; and settings of Redis that have no effect are refused. */
import { parseRedisAddress, type RedisAddress } from '#runtime';
import { labelOf, readPem, type SslPart } from './build-security.ts';
import type { RedisSslConfig } from './config.ts';
import type { Problems } from './problems.ts';
import type { Resolved } from './resolve-values.ts';
import { envName, type SettingName } from './settings.ts';

const SSL = ['REDIS_SSL_CA', 'REDIS_SSL_CERT', 'REDIS_SSL_KEY'] as const;

function addressOf({ values }: Resolved): RedisAddress | null {
  const parsed = values.REDIS_URL === null ? null : parseRedisAddress(values.REDIS_URL);
  return parsed === null || 'problem' in parsed ? null : parsed.address;
}

function refuseGiven(names: readonly SettingName[], message: string, resolved: Resolved, problems: Problems): void {
  for (const name of names) if (resolved.given.has(name)) problems.add(labelOf(resolved, name), message);
}

export function checkRedis(resolved: Resolved, problems: Problems): void {
  if (resolved.invalid.has('REDIS_URL')) return;
  const address = addressOf(resolved);
  const url = envName('REDIS_URL');
  if (address?.tls !== true) {
    const message = `has no effect without ${url}=rediss://..; set both`;
    refuseGiven(SSL, message, resolved, problems);
  }
  if (address === null)
    refuseGiven(['REDIS_USERNAME', 'REDIS_PASSWORD'], `has no effect without ${url}; set both`, resolved, problems);
  if (address?.kind !== 'sentinel') {
    const names = ['REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'] as const;
    refuseGiven(names, `has no effect without ${url}=redis-sentinel://..; set both`, resolved, problems);
  }
  const { REDIS_USERNAME: username, REDIS_PASSWORD: password } = resolved.values;
  if (username !== null && (password ?? address?.password ?? null) === null) {
    problems.add(
      labelOf(resolved, 'REDIS_USERNAME'),
      `needs ${envName('REDIS_PASSWORD')} too; a user and a password go together`,
    );
  }
}

/** Null when not encrypted. */
export function buildRedisSsl(resolved: Resolved, problems: Problems, warnings: string[]): RedisSslConfig | null {
  if (addressOf(resolved)?.tls !== true) return null;
  const read = (part: SslPart) => readPem(`REDIS_SSL_${part}`, part, resolved, problems);
  const { given, values } = resolved;
  if (given.has('REDIS_SSL_CERT') !== given.has('REDIS_SSL_KEY')) {
    const [set, missing] = given.has('REDIS_SSL_CERT') ? (['CERT', 'KEY'] as const) : (['KEY', 'CERT'] as const);
    const message = `needs ${envName(`REDIS_SSL_${missing}`)} too; a client certificate and its key go together`;
    problems.add(labelOf(resolved, `REDIS_SSL_${set}`), message);
  }
  if (!values.REDIS_SSL_VERIFY)
    warnings.push(`${envName('REDIS_SSL_VERIFY')} is false: anybody can pose as the server`);
  const [ca, cert, key] = [read('CA'), read('CERT'), read('KEY')];
  return {
    ca: ca.text,
    cert: cert.text,
    key: key.text,
    verify: values.REDIS_SSL_VERIFY,
    files: { ca: ca.file, cert: cert.file, key: key.file },
  };
}
