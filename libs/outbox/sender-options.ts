/** What a sender's track is made of: ports, limits and policies, all given; nothing is read from the environment here. */
import type { BackoffLimits, Clock, Progress, Random } from '#runtime';
import type { SenderEvent } from './events.ts';
import type { BatchLimits, Doorbell, KafkaPort, SenderStore } from './ports.ts';

/**
 * What happens to a row the broker refuses for good, after `retriesMax` attempts. Until then its key waits in order.
 * `dead-letter`: the row stays in the dead-letter table and its key goes on. `park-key`: the key waits for the operator.
 * `halt`: the lane stops.
 */
export type RowFaultPolicy = 'dead-letter' | 'park-key' | 'halt';

export interface SenderOptions {
  /** Transactional id and member id: this instance's own, never used by another process. */
  readonly transactionalId: string;
  readonly store: SenderStore;
  readonly kafka: KafkaPort;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  readonly random: Random;
  /** Rows a lane, and bytes over all lanes, in one transaction. */
  readonly limits: BatchLimits;
  /** How long a transaction may take before the next one is made smaller; 5,000 when absent. */
  readonly transactionTargetMs?: number;
  readonly pollIntervalMs: number;
  /** By how much an idle sender's looks move apart, up to `pollIntervalMs`; 1.5 when absent. */
  readonly paceGrowth?: number;
  readonly leaseMs: number;
  /** How often heartbeat and leases are renewed and the lanes looked at. */
  readonly tickMs: number;
  /** How long a marker that lags behind what is known committed is re-read before the lane halts. */
  readonly markerSettleMs: number;
  /** Idle markers are committed again this often. */
  readonly markerRefreshMs: number;
  readonly backoff: BackoffLimits;
  readonly retriesMax: number;
  readonly rowFaultPolicy: RowFaultPolicy;
  /** Keys waiting behind a refused row, and refused rows without a key, in one lane before it halts. */
  readonly parkedKeysMax: number;
  /** How long a topic or partition may take nothing before its rows are moved out of the way of the others. */
  readonly targetPatienceMs: number;
  /** What may wait aside for topics and partitions, of one lane; past it the lane waits with them. */
  readonly waiting: BatchLimits;
  /** Rows one trimming transaction deletes. */
  readonly trimRowsMax: number;
  readonly trimIntervalMs: number;
  /** Whoever wants to know whether rows move looks here. */
  readonly progress?: Progress;
  readonly onEvent: (event: SenderEvent) => void;
}
