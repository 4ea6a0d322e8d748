/** The three servers killed, paused, restarted and emptied. */
import type { Redis } from 'ioredis';
import { systemClock } from '#runtime';
import type { ServerControl } from '#testkit';
import type { Fault, Injection, Target } from '../fault.ts';
import { onRedis } from '../on-redis.ts';
import type { Scene } from '../scene.ts';
import { REDIS_USER, SECRETS } from '../servers.ts';

interface ServerPlan {
  readonly target: Target & ('kafka' | 'database' | 'redis');
  readonly title: string;
  readonly server: (scene: Scene) => ServerControl;
  /** Bounds of a pause. */
  readonly pauseMs: readonly [number, number];
  readonly meanwhile: string;
}

const SERVERS: readonly ServerPlan[] = [
  {
    target: 'kafka',
    title: 'Kafka',
    server: (scene) => scene.servers.kafka,
    pauseMs: [12_000, 30_000],
    meanwhile: 'Rows wait in the outbox; transactions of unknown outcome are settled by the markers.',
  },
  {
    target: 'database',
    title: 'MariaDB',
    server: (scene) => scene.servers.mariadb,
    pauseMs: [4_000, 15_000],
    meanwhile: 'Commits of unknown outcome are settled by the watermark row.',
  },
  {
    target: 'redis',
    title: 'Redis',
    server: (scene) => scene.servers.redis,
    pauseMs: [4_000, 12_000],
    meanwhile: 'Rows keep flowing; the leader goes on without its lock.',
  },
];

async function pause(server: ServerControl, [min, max]: readonly [number, number], scene: Scene): Promise<Injection> {
  const holdMs = scene.chance.integer(min, max);
  server.pause();
  return {
    detail: `for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => server.resume(),
  };
}

function faultsOf({ target, title, server, pauseMs, meanwhile }: ServerPlan): Fault[] {
  const common = {
    expected: meanwhile,
    targets: [target],
    startMayFail: true,
  } as const;
  return [
    {
      ...common,
      name: `${target}-kill`,
      what: `SIGKILL of ${title}, started again on its data some seconds later.`,
      inject: async (scene) => {
        await server(scene).kill();
        const holdMs = scene.chance.integer(0, 6_000);
        return { detail: `away for ${holdMs} ms and its start`, holdMs, heal: () => server(scene).restart() };
      },
    },
    {
      ...common,
      name: `${target}-pause`,
      what: `SIGSTOP of ${title} for ${pauseMs[0] / 1_000} to ${pauseMs[1] / 1_000} s, then SIGCONT.`,
      inject: (scene) => pause(server(scene), pauseMs, scene),
    },
    {
      ...common,
      name: `${target}-restart`,
      what: `Orderly stop of ${title} and start.`,
      inject: async (scene) => {
        await server(scene).restart();
        return { detail: 'stopped and started' };
      },
    },
  ];
}

const TWO_HOURS_MS = 2 * 3_600_000;

/** All at once, as a rotated secret that one side has not heard of. */
async function changePassword(scene: Scene): Promise<Injection> {
  const holdMs = scene.chance.integer(3_000, 8_000);
  const set = (password: string) =>
    onRedis(scene, async (redis) => {
      await redis.call('ACL', 'SETUSER', REDIS_USER, 'resetpass', `>${password}`);
      await redis.call('CLIENT', 'KILL', 'USER', REDIS_USER);
    });
  await set('Xq7-another-redis-secret');
  return { detail: `for ${(holdMs / 1_000).toFixed(1)} s`, holdMs, heal: () => set(SECRETS.redis) };
}

const lockKey = (scene: Scene): string => `${scene.deployment.name}:leader:drill_rows`;

async function requireKey(redis: Redis, key: string): Promise<void> {
  for (let look = 0; look < 100; look += 1) {
    if ((await redis.exists(key)) === 1) return;
    await systemClock.sleep(100);
  }
  throw new Error(`nobody holds ${key}`);
}

const REDIS_KEY_FAULTS: readonly Fault[] = [
  {
    name: 'redis-flushall',
    what: 'FLUSHALL: lock, job queues and schedules are gone.',
    expected: 'Nothing depends on them.',
    targets: ['redis'],
    weight: 2,
    inject: async (scene) => {
      await onRedis(scene, (redis) => redis.flushall());
      return { detail: 'emptied' };
    },
  },
  {
    name: 'redis-password-changed',
    what: "The user's password is changed for some seconds and all its connections are closed.",
    expected: 'Rows keep flowing; no process ends.',
    targets: ['redis'],
    startMayFail: true,
    inject: changePassword,
  },
  {
    name: 'redis-lock-deleted',
    what: "The leader's lock is deleted again and again for some seconds, so that two writers lead.",
    expected: 'The epoch lets one of them commit.',
    targets: ['redis'],
    weight: 2,
    inject: async (scene) => {
      const times = scene.chance.integer(5, 15);
      await onRedis(scene, async (redis) => {
        await requireKey(redis, lockKey(scene));
        for (let time = 0; time < times; time += 1) {
          await redis.del(lockKey(scene));
          await systemClock.sleep(scene.chance.integer(50, 500));
        }
      });
      return { detail: `${times} times` };
    },
  },
  {
    name: 'redis-clock-back',
    what: "The leading writer is killed and its lock's expiry moved two hours away, as by a clock of Redis that is set back.",
    expected: 'Nobody asked for a lock so long: it is cut short, and somebody leads.',
    targets: ['redis', 'writers'],
    inject: async (scene) => {
      const leader = (await scene.leader()) ?? scene.chance.pick(scene.writers());
      await onRedis(scene, async (redis) => {
        await requireKey(redis, lockKey(scene));
        await leader.kill();
        await redis.pexpire(lockKey(scene), TWO_HOURS_MS);
      });
      return { detail: leader.name, kills: 1 };
    },
  },
  {
    name: 'redis-lock-stolen',
    what: "The leader's lock gets a stranger's value for some seconds.",
    expected: 'The leader steps down; somebody leads again when the lock has run out.',
    targets: ['redis'],
    inject: async (scene) => {
      const ttlMs = scene.chance.integer(2_000, 6_000);
      await onRedis(scene, async (redis) => {
        await requireKey(redis, lockKey(scene));
        await redis.set(lockKey(scene), 'somebody else', 'PX', ttlMs);
      });
      return { detail: `for ${ttlMs} ms`, holdMs: ttlMs };
    },
  },
];

export const SERVER_FAULTS: readonly Fault[] = [...SERVERS.flatMap(faultsOf), ...REDIS_KEY_FAULTS];
