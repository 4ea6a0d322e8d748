/** How many copies of each record there are, and how many of them are in step now. */
import type { Config } from '#config';
import type { TopicFacts } from '#kafka-delivery';
import { fine, type Judgement, kafkaCheck, risky } from './finding.ts';
import { toolsFor, topicAbout } from './kafka-tools.ts';
import { topicsThatMatter, unseenInternal } from './kafka-topics-that-matter.ts';

const WANTED = 3;

function judge({ topic, partitions }: TopicFacts, config: Config): readonly Judgement[] {
  const about = topicAbout(topic);
  const least = Math.min(...partitions.map(({ replicas }) => replicas));
  const judgements: Judgement[] = [];
  if (least < WANTED) {
    const says =
      least === 1
        ? '1 replica: a lost disk loses records that were acknowledged'
        : `${least} replicas: one more loss and records are gone`;
    const tool = toolsFor(config, 'kafka-reassign-partitions.sh');
    const mend = `${tool} --execute --reassignment-json-file FILE, which gives each partition of ${topic} ${WANTED} replicas`;
    judgements.push(risky(about, says, mend));
  }
  const behind = partitions.filter(({ replicas, inSync }) => inSync < replicas).map(({ partition }) => partition);
  if (behind.length > 0) {
    const says = `partitions ${behind.join(', ')} have replicas that are not in sync now`;
    judgements.push(risky(about, says, 'start the brokers that are away, and let them catch up'));
  }
  return judgements.length > 0 ? judgements : [fine(about, `${least} replicas, all in sync`)];
}

export const replication = kafkaCheck(
  'replication',
  'replicas of the target topics, __consumer_offsets and __transaction_state',
  (kafka, { config }) => [
    ...topicsThatMatter(kafka).flatMap((topic) => judge(topic, config)),
    ...unseenInternal(kafka),
  ],
);
