/** Options of a sender in a test: everything soon, nothing given up. A test names what it is about. */
import type { SenderOptions } from '#outbox';
import { systemClock } from '#runtime';
import { createFakeDoorbells } from './fakes/doorbell.ts';

export const testSender = (given: Pick<SenderOptions, 'store' | 'kafka'> & Partial<SenderOptions>): SenderOptions => ({
  transactionalId: 'me',
  doorbell: createFakeDoorbells().doorbell(),
  clock: systemClock,
  random: () => 0.5,
  limits: { rowsMax: 5, bytesMax: 1_000_000 },
  pollIntervalMs: 5,
  leaseMs: 5_000,
  tickMs: 20,
  markerSettleMs: 500,
  markerRefreshMs: 60_000,
  backoff: { baseMs: 1, maxMs: 8 },
  retriesMax: 1_000_000,
  rowFaultPolicy: 'dead-letter',
  parkedKeysMax: 1_000,
  targetPatienceMs: 0,
  waiting: { rowsMax: 100, bytesMax: 1_000_000 },
  trimRowsMax: 1_000,
  trimIntervalMs: 5,
  onEvent: () => undefined,
  ...given,
});
