/** Redis is away, or refuses: nothing needs it. Rows flow, also when a leader must be found, and processes start without it. */
import { systemClock } from '#runtime';
import { ALL_TARGETS, type Fault, type Injection, LOCK_TTL_MS } from '../fault.ts';
import { flowed, flowWhile } from '../flow.ts';
import { Finding } from '../judge.ts';
import { onRedis } from '../on-redis.ts';
import type { Scene } from '../scene.ts';
import { REDIS_USER } from '../servers.ts';
import type { Slot } from '../slot.ts';

/** A subscription that is refused is asked for again, not at once and not for ever at the same pace. */
const CONNECTIONS_PER_SECOND_MAX = 2;
const LINES_PER_SECOND_MAX = 3;
const CLIENTS_MAX = '1';
const OPEN_CLIENTS = '10000';

const leaderOf = async (scene: Scene): Promise<Slot> => (await scene.leader()) ?? scene.chance.pick(scene.writers());

type Undo = () => Promise<unknown>;

const call = (scene: Scene, ...words: readonly string[]) =>
  onRedis(scene, (redis) => redis.call(words[0] as string, ...words.slice(1)));

/** New rules for the processes' user; connections it has are judged by them, too. */
async function withRules(scene: Scene, taken: readonly string[], given: readonly string[]): Promise<Undo> {
  await call(scene, 'ACL', 'SETUSER', REDIS_USER, ...taken);
  if (scene.chance.happens(0.5)) await call(scene, 'CLIENT', 'KILL', 'USER', REDIS_USER);
  return () => call(scene, 'ACL', 'SETUSER', REDIS_USER, ...given);
}

async function configured(scene: Scene, name: string, value: string, before: string): Promise<Undo> {
  await call(scene, 'CONFIG', 'SET', name, value);
  return () => call(scene, 'CONFIG', 'SET', name, before);
}

/** Nobody is there to follow: it goes on answering reads and refuses writes. */
async function asReplica(scene: Scene): Promise<Undo> {
  await call(scene, 'REPLICAOF', '127.0.0.1', '1');
  return () => call(scene, 'REPLICAOF', 'NO', 'ONE');
}

/** A connection of the drill's own is the only one that is let in, and changes that back. */
async function clientsUsedUp(scene: Scene): Promise<Undo> {
  const undone = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const held = onRedis(scene, async (redis) => {
    await redis.call('CONFIG', 'SET', 'maxclients', CLIENTS_MAX);
    await redis.call('CLIENT', 'KILL', 'USER', REDIS_USER);
    taken.resolve();
    await undone.promise;
    await redis.call('CONFIG', 'SET', 'maxclients', OPEN_CLIENTS);
  });
  await Promise.race([taken.promise, held]);
  return async () => {
    undone.resolve();
    await held;
  };
}

async function away(scene: Scene): Promise<Undo> {
  await scene.servers.redis.kill();
  return () => scene.servers.redis.restart();
}

/** Redis is of no use, and then the leader is killed: another must be found without it. */
async function leaderKilled(scene: Scene, harm: (scene: Scene) => Promise<Undo>): Promise<Injection> {
  const leader = await leaderOf(scene);
  const undo = await harm(scene);
  const flowedMs = await flowWhile(scene, { what: 'rows without Redis' }, undo, () => leader.kill());
  return { detail: `${leader.name} killed; ${flowed(flowedMs)}`, kills: 1, flowedMs };
}

async function startedWithout(scene: Scene): Promise<Injection> {
  const undo = await away(scene);
  const killAll = () => Promise.all(scene.slots.map((slot) => slot.kill()));
  const flowedMs = await flowWhile(scene, { what: 'rows of processes that start without Redis' }, undo, killAll);
  return { detail: flowed(flowedMs), kills: scene.slots.length, flowedMs };
}

/** The leader is gone for longer than its lock, and nobody can ask Redis for one; then it wakes up. */
async function leaderPaused(scene: Scene): Promise<Injection> {
  const leader = await leaderOf(scene);
  const undo = await away(scene);
  const pause = async () => {
    leader.pause();
    await systemClock.sleep(LOCK_TTL_MS);
  };
  let flowedMs: readonly number[];
  try {
    flowedMs = await flowWhile(
      scene,
      { what: 'rows without Redis and its leader' },
      async () => leader.resume(),
      pause,
    );
  } finally {
    await undo();
  }
  return { detail: `${leader.name} stopped; ${flowed(flowedMs)}`, flowedMs };
}

async function connectionsSoFar(scene: Scene): Promise<number> {
  const info = await onRedis(scene, (redis) => redis.info('stats'));
  return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
}

async function subscribeRefused(scene: Scene): Promise<Injection> {
  const undo = await withRules(scene, ['-subscribe', '-psubscribe', '-ssubscribe'], ['+@all']);
  await call(scene, 'CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => undefined);
  const startedMs = systemClock.nowMs();
  const connections = await connectionsSoFar(scene);
  const lines = scene.slots.map(({ log }) => log.length);
  const flowedMs = await flowWhile(scene, { what: 'rows without a doorbell' }, undo);
  const seconds = (systemClock.nowMs() - startedMs) / 1_000;
  const asked = ((await connectionsSoFar(scene)) - connections) / seconds / scene.slots.length;
  const said = Math.max(...scene.slots.map(({ log }, index) => log.length - (lines[index] ?? 0))) / seconds;
  const detail = `${asked.toFixed(1)} connections and ${said.toFixed(1)} lines a second and process at most; ${flowed(flowedMs)}`;
  if (asked > CONNECTIONS_PER_SECOND_MAX || said > LINES_PER_SECOND_MAX) {
    throw new Finding(`a refused subscription is asked for without rest: ${detail}`);
  }
  return { detail, flowedMs };
}

const common = {
  targets: ALL_TARGETS,
  expected: 'The leader goes on; when it is gone, the database elects another after some lock TTLs. Rows flow.',
} as const;

export const WITHOUT_REDIS_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'redis-away-leader-killed',
    what: 'SIGKILL of Redis, and of the leading writer, while Redis is away.',
    inject: (scene) => leaderKilled(scene, away),
  },
  {
    ...common,
    name: 'redis-away-at-start',
    what: 'SIGKILL of Redis, and of every process: they start while Redis is away.',
    expected: 'All start and work; the database elects the leader. Rows flow.',
    inject: startedWithout,
  },
  {
    ...common,
    name: 'redis-away-leader-paused',
    what: 'SIGKILL of Redis, and SIGSTOP of the leading writer for longer than its lock lives, then SIGCONT.',
    expected: 'The database elects another; the old leader finds itself fenced. Rows flow.',
    inject: leaderPaused,
  },
  {
    ...common,
    name: 'redis-no-permission',
    what: "All rights of the processes' user in Redis are taken away (NOPERM), and the leader is killed.",
    inject: (scene) => leaderKilled(scene, () => withRules(scene, ['-@all'], ['+@all'])),
  },
  {
    ...common,
    name: 'redis-scripts-refused',
    what: 'The right to run scripts, which the lock is made of, is taken away, and the leader is killed.',
    inject: (scene) => leaderKilled(scene, () => withRules(scene, ['-@scripting'], ['+@all'])),
  },
  {
    ...common,
    name: 'redis-out-of-memory',
    what: 'Redis has no memory left and evicts nothing (OOM), and the leader is killed.',
    inject: (scene) => leaderKilled(scene, () => configured(scene, 'maxmemory', '1', '0')),
  },
  {
    ...common,
    name: 'redis-read-only',
    what: 'Redis becomes the replica of a server that is not there (READONLY), and the leader is killed.',
    inject: (scene) => leaderKilled(scene, () => asReplica(scene)),
  },
  {
    ...common,
    name: 'redis-subscribe-refused',
    what: 'The right to subscribe is taken away, and all subscriptions are ended.',
    expected: 'Rows flow within the poll intervals; the subscription is asked for with growing pauses.',
    inject: subscribeRefused,
  },
  {
    ...common,
    name: 'redis-clients-used-up',
    what: 'Redis takes no more clients and ends those that it has; the leader is killed.',
    inject: (scene) => leaderKilled(scene, clientsUsedUp),
  },
];
