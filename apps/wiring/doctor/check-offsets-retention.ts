/** How long Kafka keeps the markers of a relay that does not write them: while it is stopped, or a lane is idle. */
import { MARKER_REFRESH_MS } from '../pace.ts';
import { broken, fine, kafkaCheck, risky, unknown } from './finding.ts';

const NAME = 'offsets.retention.minutes';
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** A long weekend. */
const COMFORTABLE_MINUTES = 4 * DAY_MINUTES;

export const offsetsRetention = kafkaCheck(
  'offsets-retention',
  'offsets.retention.minutes against the refresh of idle markers (12 h)',
  ({ cluster, groups }) => {
    if (groups.length === 0) return [];
    const values = cluster.brokers.flatMap(({ config }) => (config?.has(NAME) ? [Number(config.get(NAME))] : []));
    if (values.length === 0) return [unknown('', `${NAME} is not shown to this user`)];
    const minutes = Math.min(...values);
    const days = (minutes / DAY_MINUTES).toFixed(1);
    const mend = `${NAME}=10080 in server.properties of every broker, and a rolling restart`;
    if (minutes * MINUTE_MS < 2 * MARKER_REFRESH_MS) {
      return [
        broken(
          '',
          `${minutes} minutes: markers of idle lanes expire between two refreshes, and their lanes halt`,
          mend,
        ),
      ];
    }
    if (minutes < COMFORTABLE_MINUTES) {
      return [
        risky('', `${days} days: a relay that is stopped for longer finds its markers gone, and its lanes halt`, mend),
      ];
    }
    return [fine('', `${days} days; stopped for longer, the relay finds its markers gone`)];
  },
);
