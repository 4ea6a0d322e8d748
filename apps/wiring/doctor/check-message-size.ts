/** The largest rows that wait, against what their topics take. */
import { fine, type Judgement, kafkaCheck, risky } from './finding.ts';
import { setTopicConfig, topicAbout } from './kafka-tools.ts';

const NAME = 'max.message.bytes';
/** The batch around a record and our own headers: an upper bound for names of usual length. */
const OVERHEAD_BYTES = 512;

export const messageSize = kafkaCheck(
  'message-size',
  'max.message.bytes of the target topics against the largest rows in the outbox',
  ({ cluster, targets }, { config, relay }) =>
    targets.flatMap((topic): Judgement[] => {
      const text = cluster.topics.get(topic)?.config?.get(NAME);
      if (text === undefined) return [];
      const limit = Number(text);
      const about = topicAbout(topic);
      const size = relay?.largest.find((each) => each.topic === topic)?.size ?? null;
      if (size === null) return [fine(about, `${limit} bytes; no row waits now`)];
      if (size + OVERHEAD_BYTES <= limit)
        return [fine(about, `${limit} bytes, the largest row that waits has ${size}`)];
      if (config.sender.oversize === 'chunk') {
        return [fine(about, `${limit} bytes, the largest row that waits has ${size}: it goes in chunks`)];
      }
      const compressed = config.kafka.compression === 'none' ? '' : ', unless compression makes it fit';
      const wanted = Math.ceil((size + OVERHEAD_BYTES) * 1.25);
      return [
        risky(
          about,
          `${limit} bytes, a row that waits has ${size}: Kafka will refuse it${compressed}, and ROW_FAULT_POLICY ${config.sender.rowFaultPolicy} applies`,
          setTopicConfig(config, topic, NAME, String(wanted)),
        ),
      ];
    }),
);
