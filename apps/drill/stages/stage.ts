/** Where faults are injected: which servers, in which state, and what the processes are told about them. */
import type { SceneOptions } from '../scene.ts';
import type { DrillServers } from '../servers.ts';

/**
 * `plain`: one server of each kind, behind proxies. `brokers`: three brokers. `full-disk`: servers on small disks of their own.
 * `clock`: processes, MariaDB and Kafka each with a clock that can be set. `alone`: as `plain`, one fault to a deployment,
 * because it leaves something behind. `short-memory`: a broker that forgets the offsets of a group after a minute.
 * `crowd`: as `plain`, with twice as many processes and more lanes. `login`: a broker that asks the processes for a login,
 * and again every quarter of a minute. `patient`: as `plain`, with more retries than any fault lasts. `short-requests`: a broker
 * that closes the connection on a request larger than a row may be.
 */
export type StageName =
  | 'plain'
  | 'brokers'
  | 'full-disk'
  | 'clock'
  | 'alone'
  | 'short-memory'
  | 'crowd'
  | 'login'
  | 'patient'
  | 'short-requests';

export interface Stage {
  readonly servers: DrillServers;
  readonly scene?: Partial<Pick<SceneOptions, 'settings' | 'env' | 'slotEnv' | 'kafkaDirect' | 'writers' | 'senders'>>;
  /** Most faults of a round here. */
  readonly faultsMax: number;
  close(): Promise<void>;
}
