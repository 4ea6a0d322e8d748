/** Commits through kafkajs, with the id of the topic beside each offset, and only for the round of the group it is meant for. */
import { topicNote } from '#kafka-delivery';
import type { Commit } from './drain-batch.ts';
import { movedOn } from './membership.ts';

/** As kafkajs takes an offset to be committed. */
export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly metadata: string;
}

/** kafkajs would commit it for the round that the group is in now, in which the partition may be somebody else's. */
export const commitWhile =
  (isCurrent: () => boolean, send: (offset: OffsetToCommit) => Promise<void>): Commit =>
  async ({ topic, partition, topicId }, next) => {
    if (!isCurrent()) throw movedOn();
    await send({ topic, partition, offset: String(next), metadata: topicNote(topicId) });
  };
