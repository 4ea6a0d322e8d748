/** The topic whose partitions stand for the lanes. It holds no data, so that replicas do not matter; its partitions must be there. */
import { broken, fine, kafkaCheck } from './finding.ts';
import { aclCommand, topicAbout } from './kafka-tools.ts';

export const markerTopic = kafkaCheck(
  'marker-topic',
  'a partition of the marker topic for each lane, and the right to read it',
  ({ cluster, groups }, { config, relay }) => {
    if (groups.length === 0) return [];
    const topic = config.kafka.markerTopic;
    const about = topicAbout(topic);
    const found = cluster.topics.get(topic);
    const acl = aclCommand(config, '--operation Read --operation Describe', `--topic ${topic}`);
    if (found === undefined || found.fault?.code === 'KAFKA_TOPIC_MISSING') {
      const delivered = relay?.status.lanes.some(({ deliveredId }) => deliveredId !== null) ?? false;
      const says = delivered
        ? 'is gone, and the markers with it: every lane halts at its next take-over'
        : 'does not exist';
      const after = delivered
        ? ', then kafka-row-sender lane resume all --from delivered (lane resume --help says what that costs)'
        : '';
      return [broken(about, says, `kafka-row-sender init${after}`)];
    }
    if (found.fault !== null) return [broken(about, found.fault.message, acl)];
    if (found.mayRead === false) return [broken(about, 'may not be read: no marker can be written', acl)];
    const partitions = found.partitions.length;
    const lanes = relay?.lanesAfter.reduce((most, { lane }) => Math.max(most, lane + 1), 0) ?? 0;
    const known = new Set(relay?.lanesAfter.map(({ source }) => source) ?? []);
    const coming = config.sources.filter(({ name }) => !known.has(name)).reduce((sum, source) => sum + source.lanes, 0);
    const needed = lanes + coming;
    if (partitions < needed)
      return [broken(about, `${partitions} partitions for ${needed} lanes`, 'kafka-row-sender init')];
    return [
      fine(about, `${partitions} partitions for ${needed} lanes; it holds no data, so that its replicas do not matter`),
    ];
  },
);
