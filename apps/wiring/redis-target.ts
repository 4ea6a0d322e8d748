/** The settings of Redis as its clients take them. */
import type { Config } from '#config';
import { type RedisTarget, targetOf } from '#redis';

/** Null: there is no Redis. Throws CONFIG_INVALID for an address that is none. */
export function redisTarget(config: Pick<Config, 'redis'>): RedisTarget | null {
  const { url, login, sentinelLogin, ssl } = config.redis;
  if (url === null) return null;
  const target = targetOf(url, 'REDIS_URL');
  return {
    ...target,
    login: { username: login.username ?? target.login.username, password: login.password ?? target.login.password },
    sentinelLogin,
    tls: ssl,
  };
}
