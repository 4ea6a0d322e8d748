/** `verify --background`: leaves the comparison to a sender, whose log gets the result. */
import type { Config } from '#config';
import { createJobs } from '#jobs';
import { EXIT, type ExitCode, RelayError, silentLogger } from '#runtime';
import { pickSources } from '../wiring/verify-delivery.ts';

const STOP_DEADLINE_MS = 1_000;

/** Rejects with CONFIG_INVALID without Redis, REDIS_UNREACHABLE when it does not answer. */
export async function verifyInBackground(config: Config, only: readonly string[]): Promise<ExitCode> {
  const { url, prefix } = config.redis;
  if (url === null) {
    throw new RelayError(
      'CONFIG_INVALID',
      'verify --background needs KAFKA_ROW_SENDER_REDIS_URL: the senders take the work from there',
    );
  }
  const sources = pickSources(config.sources, only);
  // This process only adds jobs; it never starts a worker, so no handler is ever called.
  const never = async () => undefined;
  const handlers = { 'retry-due': never, 'refresh-markers': never, cleanup: never, verify: never };
  const jobs = createJobs({
    redis: { url },
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
      process.stdout.write(`queued: a sender compares ${name} and logs the result (event "verified")\n`);
    }
    return EXIT.done;
  } finally {
    await jobs.stop(STOP_DEADLINE_MS);
  }
}
