/** A leader in a process of its own, for tests that kill it: leads `source` until it dies. */
import { createRedisElection } from '#leader-election';
import { targetOf } from '#redis';
import { silentLogger } from '#runtime';

const [url = '', prefix = '', source = '', ttlMs = ''] = process.argv.slice(2);
const election = createRedisElection({
  redis: targetOf(url),
  prefix,
  ttlMs: Number(ttlMs),
  database: null,
  logger: silentLogger,
  doorbell: { ring: () => undefined },
});
const term = await election.tryAcquire(source);
process.stdout.write(term === null ? 'lost\n' : 'leading\n');
