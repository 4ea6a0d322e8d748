/** Groups of chunks whose rest does not come go to the dead letters. */
import type { Generation } from './partition-state.ts';
import { buryOutcome } from './run-batch.ts';
import type { MessageWorld } from './run-message.ts';
import type { Wakers } from './wakers.ts';

export function expireChunks(world: MessageWorld, generation: Generation, wakers: Pick<Wakers, 'isPaused'>): void {
  const read = new Map([...generation.partitions].map(([name, state]) => [name, state.wasRead()]));
  const isRead = (topic: string, partition: number) =>
    !wakers.isPaused(topic, partition) && read.get(`${topic}/${partition}`) === true;
  for (const outcome of generation.joiner.expire(isRead)) {
    if (outcome.kind !== 'dead') continue;
    const [first] = outcome.records;
    const state = first && generation.partitions.get(`${first.topic}/${first.partition}`);
    if (state !== undefined) buryOutcome(world, state, outcome);
  }
}
