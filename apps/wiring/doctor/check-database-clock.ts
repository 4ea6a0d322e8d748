/** Leases and retries go by the database's clock alone; a difference to ours shows in logs only. */
import { databaseCheck, fine, risky } from './finding.ts';

const NOTICEABLE_MS = 5_000;

export const databaseClock = databaseCheck('clock', "the server's clock against this process's", ({ server }) => {
  const { value, error } = server.clockAheadMs;
  const says = `${Math.round(value)} ms ahead of this process (within ${Math.round(error) + 1} ms)`;
  if (Math.abs(value) <= NOTICEABLE_MS + error) return [fine('', says)];
  return [
    risky(
      '',
      `${says}: leases and retries go by the database alone, but times in logs do not fit together`,
      'synchronise the clocks (chrony, ntp)',
    ),
  ];
});
