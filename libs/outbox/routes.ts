/**
 * The way of a row out of its lane: to Kafka, aside because its target takes nothing, or not yet. While a row waits aside for a
 * target, later rows of the same target go after it: the name of the queue says which rows those are, whatever the topic's
 * partition count is by now (I5).
 */
import type { LaneHold } from './lane-hold.ts';
import type { KafkaPort, OutboxRow } from './ports.ts';
import type { TargetBlocks } from './target-blocks.ts';
import { type Target, targetName, targetOf } from './targets.ts';

/** `pause`: the target has been failing for a moment only, and the lane waits with it. */
export type Route = 'send' | 'pause' | { readonly waitsFor: string };

export type RouteOf = (hold: LaneHold, row: Pick<OutboxRow, 'topic' | 'key' | 'id'>) => Route;

export class Routes {
  readonly #kafka: Pick<KafkaPort, 'countPartitions' | 'pickPartition'>;
  readonly #blocks: TargetBlocks;
  #counts: ReadonlyMap<string, number> = new Map();

  constructor(kafka: Pick<KafkaPort, 'countPartitions' | 'pickPartition'>, blocks: TargetBlocks) {
    this.#kafka = kafka;
    this.#blocks = blocks;
  }

  /** Call before a plan is made: learns the partition counts of topics of which something waits or is blocked. */
  async prepare(holds: Iterable<LaneHold>): Promise<void> {
    const topics = new Set(this.#blocks.topics);
    for (const hold of holds) for (const name of hold.queues.keys()) topics.add(targetOf(name).topic);
    this.#counts = topics.size === 0 ? new Map() : await this.#kafka.countPartitions([...topics].sort());
  }

  of: RouteOf = (hold, row) => {
    if (hold.queues.size > 0) {
      const waitsFor = this.queueOf(hold, row);
      if (waitsFor !== null) return { waitsFor };
    }
    if (this.#blocks.isEmpty) return 'send';
    const target = this.targetOf(row);
    const block = this.#blocks.of(target);
    if (block === null) return 'send';
    if (!block.isBlocked) return this.#blocks.isResting(block) ? 'pause' : 'send';
    return { waitsFor: block.partition === null ? target.topic : targetName(target) };
  };

  isBlocked(row: Pick<OutboxRow, 'topic' | 'key' | 'id'>): boolean {
    return this.#blocks.of(this.targetOf(row))?.isBlocked ?? false;
  }

  /** Where the row goes by what is known now; the partition is null where the topic was not asked for, or is not there. */
  targetOf({ topic, key, id }: Pick<OutboxRow, 'topic' | 'key' | 'id'>): Target {
    const partitions = this.#counts.get(topic) ?? null;
    if (partitions === null) return { topic, partition: null, partitions };
    return { topic, partition: this.#kafka.pickPartition(key, id, partitions), partitions };
  }

  /** The queue in which the row waits; of several the one of the most partitions, which the others hand their rows to. */
  queueOf(hold: LaneHold, { topic, key, id }: Pick<OutboxRow, 'topic' | 'key' | 'id'>): string | null {
    let found: string | null = hold.queues.has(topic) ? topic : null;
    let most = 0;
    for (const name of hold.queues.keys()) {
      const { topic: other, partition, partitions } = targetOf(name);
      if (other !== topic || partitions === null || partitions <= most) continue;
      if (this.#kafka.pickPartition(key, id, partitions) !== partition) continue;
      most = partitions;
      found = name;
    }
    return found;
  }
}
