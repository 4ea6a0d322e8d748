/** May a replica that lags become leader? Then acknowledged records, markers or transactions vanish without a word. */
import type { Config } from '#config';
import type { TopicFacts } from '#kafka-delivery';
import { broken, fine, type Judgement, kafkaCheck, unknown } from './finding.ts';
import { setTopicConfig, topicAbout } from './kafka-tools.ts';
import { isInternal, topicsThatMatter } from './kafka-topics-that-matter.ts';

const NAME = 'unclean.leader.election.enable';

function judge({ topic, config: settings }: TopicFacts, config: Config): Judgement {
  const about = topicAbout(topic);
  const value = settings?.get(NAME);
  if (value === undefined) return unknown(about, `${NAME} is not shown to this user`);
  if (value === 'false') return fine(about, 'off');
  const lost = isInternal(topic)
    ? 'markers or transactions go back in time, and rows are doubled or lanes halt'
    : 'records that were acknowledged are lost';
  return broken(
    about,
    `on: after the leader is lost a replica that lags may lead, and ${lost}`,
    setTopicConfig(config, topic, NAME, 'false'),
  );
}

export const uncleanElection = kafkaCheck(
  'unclean-election',
  'unclean.leader.election.enable of the same topics',
  (kafka, { config }) => topicsThatMatter(kafka).map((topic) => judge(topic, config)),
);
