/** Is the database there, is Kafka there, and does the outbox keep up? */
import type { Config } from '#config';
import type { Pool } from '#database';
import { connectKafka, preflight } from '#kafka-delivery';
import { asRelayError, explainStall, RelayError, silentLogger, withDeadline } from '#runtime';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { poolOperator } from '../wiring/operator.ts';
import { readStatus, tablesOf } from '../wiring/read-status.ts';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface HealthCheck {
  readonly status: HealthStatus;
  readonly says: string;
}

export interface PublisherHealth {
  /** The worst of the checks. */
  readonly status: HealthStatus;
  readonly checks: { readonly database: HealthCheck; readonly broker: HealthCheck; readonly lag: HealthCheck };
}

export interface HealthLimits {
  /** More rows than that waiting: degraded. */
  readonly lagRowsMax: number;
  /** The oldest waits for longer: degraded. */
  readonly lagAgeMsMax: number;
}

const DEADLINE_MS = 10_000;
const ORDER: readonly HealthStatus[] = ['healthy', 'degraded', 'unhealthy'];

async function attempt(work: Promise<HealthCheck>): Promise<HealthCheck> {
  try {
    return await withDeadline(work, DEADLINE_MS, 'health check');
  } catch (thrown) {
    return { status: 'unhealthy', says: asRelayError(thrown).message };
  }
}

const elsewhere = () => Promise.reject(new RelayError('STOPPED', 'not looked at here'));

async function lagOf(config: Config, pool: Pool, limits: HealthLimits): Promise<HealthCheck> {
  const { backlog, sources, aside, lanes, stalls } = await readStatus({
    config,
    operator: poolOperator(pool, config),
    lookAtTable: tablesOf(pool),
    kafka: elsewhere,
    redis: elsewhere,
  });
  const inTable = sources.reduce((sum, { distance, highest, watermark }) => {
    // A source that nobody has led yet: all of its ids may wait.
    return sum + Number(distance ?? (watermark === null ? (highest ?? 0n) : 0n));
  }, 0);
  const rows = backlog.rows + inTable;
  const oldestMs = backlog.oldestAgeMs ?? 0;
  const halted = lanes.filter(({ state }) => state === 'halted').length;
  const stopped = sources.filter(({ halted: halt }) => halt !== null).length;
  const says = `${rows} rows wait, the oldest moved ${Math.round(oldestMs / 1000)} s ago; ${aside.dead} dead letters, ${halted} lanes halted, ${stopped} sources halted`;
  if (halted + stopped > 0) return { status: 'unhealthy', says };
  // Between two batches nobody leads.
  const [standing] = stalls.filter(({ cause }) => cause !== 'no-leader');
  if (standing !== undefined) return { status: 'degraded', says: `${says}; ${explainStall(standing)}` };
  return { status: rows > limits.lagRowsMax || oldestMs > limits.lagAgeMsMax ? 'degraded' : 'healthy', says };
}

export async function checkHealth(config: Config, pool: Pool, limits: HealthLimits): Promise<PublisherHealth> {
  const [database, broker, lag] = await Promise.all([
    attempt(pool.query('SELECT 1').then((): HealthCheck => ({ status: 'healthy', says: 'answers' }))),
    attempt(
      preflight(connectKafka(kafkaOptions(config, silentLogger))).then(
        ({ brokers }): HealthCheck => ({ status: 'healthy', says: `${brokers} brokers` }),
      ),
    ),
    attempt(lagOf(config, pool, limits)),
  ]);
  const worst = Math.max(...[database, broker, lag].map(({ status }) => ORDER.indexOf(status)));
  return { status: ORDER[worst] as HealthStatus, checks: { database, broker, lag } };
}
