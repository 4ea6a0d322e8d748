/** How often the processes show that they live and refresh what would expire: what they do, and what `doctor` compares with. */
import type { Config } from '#config';

/** Heartbeats and a look at the lanes. Without Redis nobody says that a sender joins or leaves, so the look is more frequent. */
const TICK_MS = { doorbell: 3_000, alone: 1_000 };
/** Looks in one lease: a missed one or two must not cost it. */
const TICKS_PER_LEASE = 5;

export const senderTickMs = (config: Pick<Config, 'redis' | 'sender'>): number =>
  Math.min(config.redis.url === null ? TICK_MS.alone : TICK_MS.doorbell, config.sender.laneLeaseMs / TICKS_PER_LEASE);

export const WRITER_TICK_MS = 2_000;

/** Far below the 7 days after which Kafka forgets offsets of an idle group by default. */
export const MARKER_REFRESH_MS = 12 * 60 * 60 * 1000;

/** What happens often is summed up in one log line an interval. */
export const SUMMARY_INTERVAL_MS = 10_000;
