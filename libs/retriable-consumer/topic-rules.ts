/** Which topics are read, and which rule a topic follows. Patterns are resolved once, against the cluster's topics. */
import { RelayError } from '#runtime';
import type { TopicRule } from './consumer-options.ts';

export interface ResolvedTopics {
  readonly ruleOf: ReadonlyMap<string, TopicRule>;
  /** Retry topics that a rule names and the cluster does not have. */
  readonly missingRetryTopics: readonly string[];
}

/** Throws KAFKA_TOPIC_MISSING with all names that are not there, but for retry topics: those fail over to dead letters. */
export function resolveTopics(rules: readonly TopicRule[], existing: ReadonlySet<string>): ResolvedTopics {
  const special = new Set(rules.flatMap(({ retryTopic, deadLetterTopic }) => [retryTopic, deadLetterTopic]));
  const ruleOf = new Map<string, TopicRule>();
  const missing = new Set<string>();
  for (const rule of rules) {
    const { topic, retryTopic, deadLetterTopic } = rule;
    if (!existing.has(deadLetterTopic)) missing.add(deadLetterTopic);
    if (retryTopic !== null && existing.has(retryTopic)) ruleOf.set(retryTopic, rule);
    if (typeof topic === 'string') {
      if (existing.has(topic)) ruleOf.set(topic, rule);
      else missing.add(topic);
      continue;
    }
    const names = [...existing].filter((name) => new RegExp(topic.source, topic.flags.replace(/[gy]/g, '')).test(name));
    const matched = names.filter((name) => !special.has(name) && !name.startsWith('__'));
    // A rule that names a topic wins over a pattern, and the first pattern over the next.
    for (const name of matched)
      if (!ruleOf.has(name) && !rules.some((other) => other.topic === name)) ruleOf.set(name, rule);
    if (matched.length === 0) missing.add(String(topic));
  }
  if (missing.size > 0) throw new RelayError('KAFKA_TOPIC_MISSING', `no such topic: ${[...missing].join(', ')}`);
  const retryTopics = rules.map(({ retryTopic }) => retryTopic).filter((name) => name !== null);
  return { ruleOf, missingRetryTopics: retryTopics.filter((name) => !existing.has(name)) };
}
