/** The topics in which a process looks for what others left: those it was made with, has sent to, and was told of. */
import type { SentTopics } from './ports.ts';

export class KnownTopics {
  readonly names: Set<string>;
  /** False where there were too many to look at, when they were last asked for. */
  isComplete = true;

  constructor(names: Iterable<string> = []) {
    this.names = new Set(names);
  }

  async learn(sentTopics: SentTopics | undefined): Promise<void> {
    if (sentTopics === undefined) return;
    const sent = await sentTopics();
    this.isComplete = sent !== null;
    for (const topic of sent ?? []) this.names.add(topic);
  }
}
