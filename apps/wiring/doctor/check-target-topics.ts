/** Topics that rows go to: there, led, and ours to write and to read. */
import type { TopicFacts } from '#kafka-delivery';
import { fixedTopics } from '../source-topics.ts';
import type { Facts, KafkaFacts } from './facts.ts';
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

/** Of those that only rows name: what is not as it should be, and how many there are. One that is gone has had its time. */
function judgeNoted({ noted, cluster }: KafkaFacts, facts: Facts): readonly Judgement[] {
  const about = 'topics noted';
  if (noted === null) {
    const says = 'rows were sent to more than 10,000 within a week: a lane halts after a commit that Kafka lost';
    return [risky(about, says, 'send to fewer topics')];
  }
  const there = noted.filter((topic) => cluster.topics.get(topic)?.fault?.code !== 'KAFKA_TOPIC_MISSING');
  if (there.length === 0) return [];
  const judgements = there.map((topic) => judge(topic, cluster.topics.get(topic), facts));
  const bad = judgements.filter(({ verdict }) => verdict !== 'fine');
  return bad.length > 0 ? bad : [fine(about, `${there.length} more that rows were sent to within a week`)];
}

export const targetTopics = kafkaCheck(
  'topics',
  'topics that rows go to: there, led, writable, readable',
  (kafka, facts) => [
    ...kafka.targets.map((topic) => judge(topic, kafka.cluster.topics.get(topic), facts)),
    ...judgeNoted(kafka, facts),
  ],
);
