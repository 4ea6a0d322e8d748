/** Tries background jobs on a queue of their own beside the real one: added, moved, taken by a worker, done, and all of it deleted. */
import { randomUUID } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { PROBE_DEADLINE_MS, type RedisClient, type RedisTarget, type RedisTrial, tryStep, withProbe } from '#redis';
import { silentLogger, systemClock, systemRandom, withDeadline } from '#runtime';
import { keyPrefix, queueName } from './job-queue.ts';
import { pauseAfterRefusal } from './pause-after-refusal.ts';
import { scriptCommands } from './script-commands.ts';
import { openWorkerConnection } from './worker-connection.ts';

const DAY_MS = 86_400_000;

/** Rejects with REDIS_UNREACHABLE only. */
export function probeJobs(target: RedisTarget, prefix: string): Promise<readonly RedisTrial[]> {
  const name = `${queueName(prefix)}-probe-${randomUUID()}`;
  const keys = keyPrefix(prefix, target);
  return withProbe(target, async (redis) => {
    const queue = new Queue(name, { connection: redis, prefix: keys, skipVersionCheck: true, skipMetasUpdate: true });
    queue.on('error', () => undefined);
    const deduplication = (delay: number) => ({ delay, deduplication: { id: 'probe', reschedule: true } });
    try {
      const trials = [
        ...(await tryCommands(redis, (command) => `${keys}:${name}:${command}`)),
        await tryStep('ask for the version, as workers do (INFO)', redis, () => redis.info()),
        await tryStep('add a background job', redis, () => queue.add('probe', {}, deduplication(DAY_MS))),
        await tryStep('move a background job', redis, () => queue.add('probe', {}, deduplication(1))),
        await tryStep('count background jobs', redis, () => queue.getWaitingCount()),
      ];
      if (trials.some(({ refusal }) => refusal !== null)) return trials;
      trials.push(await tryStep('take a background job and report it done', redis, () => workOnce(target, name, keys)));
      return trials;
    } finally {
      // With rights too few to delete it nothing was made that matters: its jobs are nobody's.
      await withDeadline(queue.obliterate({ force: true }), PROBE_DEADLINE_MS, 'deleting').catch(() => undefined);
      await withDeadline(queue.close(), PROBE_DEADLINE_MS, 'closing').catch(() => undefined);
    }
  });
}

/** One trial for each command that is refused; one for all when none is. What else a command answers is all right. */
async function tryCommands(redis: RedisClient, keyOf: (command: string) => string): Promise<readonly RedisTrial[]> {
  const what = 'send the commands of background jobs';
  const commands = scriptCommands(keyOf);
  const trials: RedisTrial[] = [];
  for (const { command, args } of commands) {
    const trial = await tryStep(`send a command of background jobs (${command.toUpperCase()})`, redis, () =>
      redis.call(command, ...args),
    );
    const isRefused = trial.refusal?.code === 'NOPERM';
    const isSilent = trial.refusal?.code === 'NO_ANSWER' || redis.status !== 'ready';
    if (isRefused || isSilent) trials.push(trial);
    // A key that may not be touched, or a server that is ill, is the same for all.
    if ((isRefused && trial.refusal?.command === null) || isSilent) break;
  }
  for (const { key } of commands) if (key !== null) await redis.del(key).catch(() => undefined);
  return trials.length > 0 ? trials : [{ what, refusal: null }];
}

/** Resolves once a job is done; rejects with the first thing that was refused. */
async function workOnce(target: RedisTarget, name: string, prefix: string): Promise<void> {
  const connection = openWorkerConnection(target, `${name}-worker`, silentLogger, systemRandom);
  const outcome = Promise.withResolvers<void>();
  const ended = new AbortController();
  const own = { connection: connection.redis, prefix, autorun: false };
  const worker = new Worker(name, async () => undefined, own);
  pauseAfterRefusal(worker, systemClock, systemRandom, ended.signal);
  worker.on('completed', () => outcome.resolve());
  worker.on('error', (error) => {
    if (error.name === 'ReplyError') outcome.reject(error);
  });
  worker.run().catch((error: Error) => outcome.reject(error));
  try {
    await withDeadline(outcome.promise, PROBE_DEADLINE_MS, 'working');
  } finally {
    ended.abort();
    await withDeadline(worker.close(true), PROBE_DEADLINE_MS, 'closing').catch(() => undefined);
    connection.close();
  }
}
