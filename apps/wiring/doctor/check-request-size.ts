/** What brokers take in one request, against the topics' limits and the largest rows: a larger one breaks the connection unanswered. */
import { fine, type Judgement, kafkaCheck, risky, unknown } from './finding.ts';
import { setTopicConfig, topicAbout } from './kafka-tools.ts';

const BROKER = 'socket.request.max.bytes';
const TOPIC = 'max.message.bytes';
const DEFAULT = 'message.max.bytes';
/** A request around a batch: its header and the names in it, at their usual length. */
const OVERHEAD_BYTES = 1_024;

export const requestSize = kafkaCheck(
  'request-size',
  'socket.request.max.bytes of the brokers against max.message.bytes of the topics and the largest rows in the outbox',
  ({ cluster, targets }, { config, relay }) => {
    const told = cluster.brokers.flatMap(({ nodeId, config: settings }) => {
      const text = settings?.get(BROKER);
      return text === undefined ? [] : [{ nodeId, bytes: Number(text), default: settings?.get(DEFAULT) ?? null }];
    });
    const [least] = told.sort((a, b) => a.bytes - b.bytes);
    if (least === undefined) {
      const mend =
        'grant DESCRIBE_CONFIGS on the cluster, so that rows that are too large are known before they are sent';
      return [unknown('', `${BROKER} is not shown to this user`, mend)];
    }
    const broker = `broker ${least.nodeId}`;
    const findings = targets.flatMap((topic): Judgement[] => {
      const text = cluster.topics.get(topic)?.config?.get(TOPIC);
      const size = relay?.largest.find((each) => each.topic === topic)?.size ?? 0;
      const isChunked = config.sender.oversize === 'chunk';
      if (size + OVERHEAD_BYTES > least.bytes && !isChunked) {
        const says = `a row that waits has ${size} bytes, ${broker} takes requests of ${least.bytes} bytes (${BROKER}): it is set aside, and ROW_FAULT_POLICY applies`;
        return [
          risky(
            topicAbout(topic),
            says,
            `raise ${BROKER} in its server.properties and restart it, or set OVERSIZE=chunk`,
          ),
        ];
      }
      if (text === undefined || Number(text) + OVERHEAD_BYTES <= least.bytes || isChunked) return [];
      const says = `${TOPIC} of ${text} bytes is more than ${broker} takes in a request (${least.bytes} bytes, ${BROKER}): rows in between cannot be sent`;
      return [
        risky(topicAbout(topic), says, setTopicConfig(config, topic, TOPIC, String(least.bytes - OVERHEAD_BYTES))),
      ];
    });
    if (findings.length > 0) return findings;
    const made =
      least.default === null ? '' : `; topics that say nothing take ${least.default} bytes a record (${DEFAULT})`;
    return [fine('', `${least.bytes} bytes at least${made}`)];
  },
);
