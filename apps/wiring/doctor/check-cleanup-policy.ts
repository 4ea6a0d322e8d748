/** What the topic itself throws away, and when: not a fault of delivery, but rows that a late reader never sees. */
import type { Config } from '#config';
import type { TopicFacts } from '#kafka-delivery';
import { broken, fine, type Judgement, kafkaCheck, risky } from './finding.ts';
import { setTopicConfig, topicAbout } from './kafka-tools.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

function keptFor(settings: ReadonlyMap<string, string>): string {
  const ms = Number(settings.get('retention.ms') ?? -1);
  const bytes = Number(settings.get('retention.bytes') ?? -1);
  const time = ms < 0 ? 'for ever' : `for ${(ms / DAY_MS).toFixed(1)} days`;
  return bytes < 0 ? time : `${time}, and up to ${bytes} bytes a partition`;
}

function judge({ topic, config: settings }: TopicFacts, config: Config): Judgement {
  const about = topicAbout(topic);
  const policy = settings?.get('cleanup.policy');
  if (settings === null || policy === undefined) {
    return { about, verdict: 'unknown', says: 'cleanup.policy is not shown to this user', mend: null };
  }
  if (!policy.includes('compact')) return fine(about, `${policy}: records are kept ${keptFor(settings)}`);
  const mend = setTopicConfig(config, topic, 'cleanup.policy', 'delete');
  const keyless = config.sources.some((source) => source.keyColumn === null && source.topic === topic);
  if (keyless)
    return broken(
      about,
      `${policy}: Kafka refuses records without a key, and the source has no key column`,
      `${mend}; or set a key column`,
    );
  return risky(
    about,
    `${policy}: only the last row of each key is kept, so that a reader that lags sees fewer rows than were sent, verify counts them as missing, and a row whose key is NULL is refused`,
    `${mend}; leave it where the last row of a key is all that counts`,
  );
}

export const cleanupPolicy = kafkaCheck(
  'cleanup-policy',
  'cleanup.policy and retention of the target topics',
  ({ cluster, targets }, { config }) =>
    targets.flatMap((topic) => {
      const found = cluster.topics.get(topic);
      return found === undefined || found.fault !== null ? [] : [judge(found, config)];
    }),
);
