/** Everything the relay does with Redis, tried on the keys and channels of the settings; and the ACL rules that allow it. */
import type { Config } from '#config';
import { probeDoorbell } from '#doorbell';
import { probeJobs } from '#jobs';
import { probeLocks } from '#leader-election';
import { type RedisTarget, type RedisTrial, redisRemedy } from '#redis';
import { redisTarget } from './redis-target.ts';

/** Rejects with REDIS_UNREACHABLE only. Empty without Redis. Leaves nothing behind. */
export async function probeRedis(config: Pick<Config, 'redis'>): Promise<readonly RedisTrial[]> {
  const target = redisTarget(config);
  if (target === null) return [];
  const { prefix } = config.redis;
  return [
    ...(await probeLocks(target, prefix)),
    ...(await probeDoorbell(target, prefix)),
    ...(await probeJobs(target, prefix)),
  ];
}

/** What `ACL SETUSER <user> on >password` is followed by. */
export function aclRules(prefix: string, kind: RedisTarget['address']['kind']): readonly string[] {
  const braced = kind === 'cluster' ? [`~{${prefix}}:*`] : [];
  return [
    ...['resetkeys', `~${prefix}:*`, ...braced, 'resetchannels', `&${prefix}:doorbell`],
    ...['-@all', '+@read', '+@write', '-@dangerous', '+eval', '+evalsha', '+publish', '+subscribe', '+unsubscribe'],
    ...['+ping', '+info', '+time', '+client|setname'],
    ...(kind === 'cluster' ? ['+cluster|slots', '+cluster|info'] : []),
  ];
}

/** What to do about a refusal, for people. */
export function mendRefusal(trial: RedisTrial, config: Pick<Config, 'redis'>): string {
  const { refusal } = trial;
  const code = refusal?.code ?? '';
  if (code !== 'NOPERM') return redisRemedy(code);
  const { prefix } = config.redis;
  const kind = redisTarget(config)?.address.kind ?? 'server';
  const rule =
    refusal?.command != null
      ? `+${refusal.command}`
      : refusal?.pattern === 'channel'
        ? `&${prefix}:doorbell`
        : refusal?.pattern === 'key'
          ? kind === 'cluster'
            ? `~${prefix}:* ~{${prefix}}:*`
            : `~${prefix}:*`
          : aclRules(prefix, kind).join(' ');
  return `ACL SETUSER ${config.redis.login.username ?? redisTarget(config)?.login.username ?? 'default'} ${rule}`;
}

export const sayRefusal = ({ what, refusal }: RedisTrial): string =>
  `cannot ${what}: ${refusal?.code ?? ''}${refusal?.command == null ? '' : ` for ${refusal.command.toUpperCase()}`}`;
