/** Topics that rows go to: there, led, and ours to write and to read. */
import type { TopicFacts } from '#kafka-delivery';
import { fixedTopics } from '../source-topics.ts';
import type { Facts } from './facts.ts';
import { broken, fine, type Judgement, kafkaCheck, risky } from './finding.ts';
import { aclCommand, toolsFor, topicAbout } from './kafka-tools.ts';

function judge(topic: string, found: TopicFacts | undefined, { config }: Facts): Judgement {
  const about = topicAbout(topic);
  if (found === undefined || found.fault?.code === 'KAFKA_TOPIC_MISSING') {
    const init = fixedTopics(config.sources).includes(topic) ? '--create-topics' : `--topic ${topic}`;
    return broken(
      about,
      'does not exist: its rows wait',
      `kafka-row-sender init ${init}, or ${toolsFor(config, 'kafka-topics.sh')} --create --topic ${topic}`,
    );
  }
  if (found.fault !== null)
    return broken(
      about,
      found.fault.message,
      aclCommand(config, '--operation Describe --operation Write', `--topic ${topic}`),
    );
  if (found.mayWrite === false)
    return broken(about, 'may not be written', aclCommand(config, '--operation Write', `--topic ${topic}`));
  const lost = found.partitions.filter(({ leader }) => leader < 0).map(({ partition }) => partition);
  if (lost.length > 0)
    return broken(
      about,
      `partitions ${lost.join(', ')} have no leader: their rows wait`,
      'start the brokers that hold them',
    );
  if (found.mayRead === false)
    return risky(
      about,
      'may not be read: verify cannot look at it, and a lane halts after a commit that Kafka lost, since what arrived cannot be told',
      aclCommand(config, '--operation Read', `--topic ${topic}`),
    );
  return fine(about, `${found.partitions.length} partitions`);
}

export const targetTopics = kafkaCheck(
  'topics',
  'topics that rows go to: there, led, writable, readable',
  ({ cluster, targets }, facts) => targets.map((topic) => judge(topic, cluster.topics.get(topic), facts)),
);
