/** `verify --background`: leaves the comparison to a sender, whose log gets the result. */
import type { Config } from '#config';
import { createJobs } from '#jobs';
import { checkSchema, listMembers } from '#outbox-storage';
import { EXIT, type ExitCode, RelayError, silentLogger } from '#runtime';
import { redisTarget } from '../wiring/redis-target.ts';
import { pickSources } from '../wiring/verify-delivery.ts';
import type { Cli } from './cli.ts';
import { withDatabase } from './connect.ts';

const STOP_DEADLINE_MS = 1_000;

/** Of all that have a heartbeat: those that have not been silent for longer than a lease, after which others forget them. */
async function anySenderLives(config: Config): Promise<boolean> {
  return withDatabase(config, async (pool) => {
    await checkSchema(pool, config.tables);
    const members = await listMembers(pool, config.tables);
    return members.some(({ kind, silentMs }) => kind === 'sender' && silentMs <= config.sender.laneLeaseMs);
  });
}

/** Rejects with CONFIG_INVALID without Redis, REDIS_UNREACHABLE when it does not answer, and the database's faults. */
export async function verifyInBackground(cli: Cli, config: Config, only: readonly string[]): Promise<ExitCode> {
  const { prefix } = config.redis;
  const redis = redisTarget(config);
  if (redis === null) {
    throw new RelayError(
      'CONFIG_INVALID',
      'verify --background needs KAFKA_ROW_SENDER_REDIS_URL: the senders take the work from there',
    );
  }
  const sources = pickSources(config.sources, only);
  const awaited = !(await anySenderLives(config));
  // This process only adds jobs; it never starts a worker, so no handler is ever called.
  const never = async () => undefined;
  const handlers = { 'retry-due': never, 'refresh-markers': never, cleanup: never, verify: never };
  const jobs = createJobs({
    redis,
    prefix,
    logger: silentLogger,
    handlers,
    reconcile: async () => [],
    reconcileIntervalMs: 60_000,
  });
  try {
    for (const { name } of sources) {
      const outcome = await jobs.add('verify', { source: name }, { dedupeKey: `verify:${name}` });
      if (outcome === 'away') throw new RelayError('REDIS_UNREACHABLE', 'Redis does not answer: nothing was queued');
      cli.print(`queued: a sender compares ${name} and logs the result (event "verified")`);
    }
    if (awaited)
      cli.note('no sender runs now: nothing is compared until one does; start one, or verify without --background');
    return EXIT.done;
  } finally {
    await jobs.stop(STOP_DEADLINE_MS);
  }
}
