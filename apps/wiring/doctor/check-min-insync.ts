/** How many replicas must have a record before it counts as acknowledged. */
import type { Config } from '#config';
import type { TopicFacts } from '#kafka-delivery';
import { broken, fine, type Judgement, kafkaCheck, risky } from './finding.ts';
import { setTopicConfig, topicAbout } from './kafka-tools.ts';
import { topicsThatMatter } from './kafka-topics-that-matter.ts';

const NAME = 'min.insync.replicas';
const WANTED = 2;

function judge({ topic, partitions, config: settings }: TopicFacts, config: Config): Judgement {
  const about = topicAbout(topic);
  const text = settings?.get(NAME);
  if (text === undefined) return { about, verdict: 'unknown', says: `${NAME} is not shown to this user`, mend: null };
  const least = Number(text);
  const replicas = Math.min(...partitions.map((each) => each.replicas));
  const short = partitions.filter(({ inSync }) => inSync < least).map(({ partition }) => partition);
  if (short.length > 0) {
    const says = `partitions ${short.join(', ')} have fewer than ${least} replicas in sync: Kafka refuses what is written to them`;
    return broken(about, says, 'start the brokers that are away');
  }
  if (least < WANTED) {
    const says = `${NAME} ${least}: a record counts as acknowledged with a single copy, and is gone with it`;
    const mend = setTopicConfig(config, topic, NAME, String(WANTED));
    return risky(about, says, replicas > WANTED ? mend : `more replicas first (see replication), then ${mend}`);
  }
  if (least >= replicas) {
    const says = `${NAME} ${least} of ${replicas} replicas: delivery stops with every broker that is away`;
    return risky(about, says, `${setTopicConfig(config, topic, NAME, String(WANTED))}, or more replicas`);
  }
  return fine(about, `${NAME} ${least} of ${replicas} replicas`);
}

export const minInsync = kafkaCheck('min-insync', 'min.insync.replicas of the same topics', (kafka, { config }) =>
  topicsThatMatter(kafka).map((topic) => judge(topic, config)),
);
