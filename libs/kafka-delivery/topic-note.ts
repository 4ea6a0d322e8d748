/** What stands beside an offset that a consumer has committed: the id of the topic that the offset belongs to. */

/** Empty where the brokers give no ids. */
export const topicNote = (topicId: string | null): string => (topicId === null ? '' : `topic-id ${topicId}`);

/** Null for offsets that were committed without an id, by another program or through an old broker. */
export const readTopicNote = (text: string | null): string | null =>
  /^topic-id ([\w-]{22})$/.exec(text ?? '')?.[1] ?? null;
