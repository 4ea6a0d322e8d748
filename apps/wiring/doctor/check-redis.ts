/** Redis holds no truth: what is wrong with it costs time only, but background jobs need what they need. */
import { mendRefusal, sayRefusal } from '../probe-redis.ts';
import { broken, type Check, fine, type Judgement, risky, unknown } from './finding.ts';

/** What BullMQ refuses to work below, and what it asks for. */
const OLDEST = [5, 0];
const RECOMMENDED = [6, 2];

const olderThan = (version: string, [major = 0, minor = 0]: readonly number[]): boolean => {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number);
  return foundMajor < major || (foundMajor === major && foundMinor < minor);
};

export const redisVersion: Check = {
  id: 'redis.version',
  title: 'version of Redis (5.0 at least, better 6.2)',
  look: ({ redis }): Judgement[] => {
    if (redis === null) return [];
    if (redis.version === null) return [unknown('', 'INFO is not allowed to this user')];
    if (olderThan(redis.version, OLDEST))
      return [broken('', `${redis.version}: background jobs need 5.0 or newer`, 'bring Redis to 6.2 or newer')];
    if (olderThan(redis.version, RECOMMENDED))
      return [risky('', `${redis.version} is old for background jobs`, 'bring Redis to 6.2 or newer')];
    return [fine('', redis.version)];
  },
};

export const redisMemory: Check = {
  id: 'redis.memory',
  title: 'maxmemory-policy noeviction',
  look: ({ redis }): Judgement[] => {
    if (redis === null) return [];
    if (redis.maxmemoryPolicy === null) return [unknown('', 'INFO is not allowed to this user')];
    if (redis.maxmemoryPolicy === 'noeviction') return [fine('', 'noeviction')];
    return [
      risky(
        '',
        `${redis.maxmemoryPolicy}: Redis may throw away jobs and the leader's lock when memory is short, which costs time, no rows`,
        'CONFIG SET maxmemory-policy noeviction, and in redis.conf',
      ),
    ];
  },
};

export const redisCommands: Check = {
  id: 'redis.commands',
  title: 'commands that election, doorbell and background jobs send are allowed, on their keys and channels',
  look: ({ config, redisTrials }): Judgement[] => {
    if (redisTrials === null) return [];
    const refused = redisTrials.filter(({ refusal }) => refusal !== null);
    if (refused.length === 0) return [fine('', `${redisTrials.length} things the relay does there were tried`)];
    return refused.map((trial) =>
      broken('', `${sayRefusal(trial)}: the database elects and wakes instead`, mendRefusal(trial, config)),
    );
  },
};

export const redisRole: Check = {
  id: 'redis.role',
  title: 'Redis is a primary',
  look: ({ redis }): Judgement[] => {
    if (redis === null || redis.role === null) return [];
    if (redis.role === 'master') return [fine('', 'primary')];
    return [
      broken(
        '',
        `${redis.role}: it refuses the leader's lock and jobs; the database elects instead`,
        'point REDIS_URL to the primary, or to the sentinels (redis-sentinel://host:port,host:port/name)',
      ),
    ];
  },
};
