/**
 * Records carry this process's time, until a broker refuses it as too far in the future: then sessions take the coordinator's.
 * Brokers throw away early what looks old.
 */
import { RelayError } from '#runtime';
import { broken, fine, kafkaCheck, risky, unknown } from './finding.ts';
import { topicAbout } from './kafka-tools.ts';

const NOTICEABLE_MS = 60_000;
const AFTER = 'message.timestamp.after.max.ms';
const BEFORE = 'message.timestamp.before.max.ms';

export const kafkaClock = kafkaCheck(
  'clock',
  "the coordinator's clock against this process's, whose time the records carry",
  ({ rehearsal, cluster, targets }) => {
    if (rehearsal === null || rehearsal instanceof RelayError) return [];
    if (rehearsal.clockAheadMs === null)
      return [unknown('', 'not shown (Kafka before 3.0, or no Describe on the transactional id)')];
    const { value, error } = rehearsal.clockAheadMs;
    const says = `${Math.round(value)} ms ahead of this process (within ${Math.round(error) + 1} ms)`;
    const mend = 'synchronise the clocks (chrony, ntp) of the brokers and of every sender';
    const refusing = targets.find((topic) => {
      const limit = (name: string) => Number(cluster.topics.get(topic)?.config?.get(name) ?? Number.POSITIVE_INFINITY);
      return -value > limit(AFTER) || value > limit(BEFORE);
    });
    if (refusing !== undefined)
      return [
        broken(
          topicAbout(refusing),
          `${says}: it refuses records with such times; senders in exactly-once mode then take the brokers'`,
          mend,
        ),
      ];
    if (Math.abs(value) <= NOTICEABLE_MS + error) return [fine('', says)];
    return [risky('', `${says}: retention counts from the records' times, which are this process's`, mend)];
  },
);
