/** Plans deliveries by what topics and brokers take, and gives whoever sends them what it needs to know of that. */
import type { BatchBounds } from './batch-bounds.ts';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import { Closings } from './closings.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { type DeliveryPlan, planDelivery, type RoutedRecord } from './plan-delivery.ts';
import { createRecordLimits } from './record-limits.ts';
import type { FlowSender } from './send-flows.ts';
import { newSizeLore, REQUEST_ROOM_BYTES, SizeLimits, type SizeLore } from './size-limits.ts';
import { createSuspects } from './suspects.ts';
import type { TopicViews } from './topic-views.ts';

export interface PlannerParts {
  readonly settings: KafkaSettings;
  readonly brokers: Brokers;
  readonly bounds: BatchBounds;
  /** What is known already; a port keeps it for all its sessions. */
  readonly sizes?: SizeLore;
  readonly closings?: Closings;
}

export interface Planner {
  plan(records: readonly RoutedRecord[], topics: ReadonlySet<string>): Promise<DeliveryPlan>;
  readonly misfits: SizeLimits['misfits'];
  readonly hooks: Required<Pick<FlowSender, 'requestMaxOf' | 'suspects' | 'isThrottled'>>;
}

export function createPlanner(parts: PlannerParts, views: TopicViews): Planner {
  const { settings, brokers, bounds } = parts;
  const lore = parts.sizes ?? newSizeLore(settings);
  const isPlain = settings.compression === 'none';
  const onTopicTold = (topic: string, bytesMax: number) => {
    // How far compression goes is found out by refusals.
    if (isPlain) bounds.learn(topic, bytesMax, false);
  };
  const limits = new SizeLimits({ brokers, settings, views, lore, onTopicTold });
  const chunkMax = () => {
    const least = limits.leastOfBrokers();
    return least === null ? null : least - REQUEST_ROOM_BYTES;
  };
  const records = createRecordLimits(brokers, settings, bounds, chunkMax);
  const nameOf = ({ host, port }: BrokerLink) => `${host}:${port}`;
  return {
    plan: async (wanted, topics) => {
      const leaders = await views.load(topics);
      await records.load(topics);
      const plan = planDelivery(wanted, leaders, settings.partitioner, records);
      const told = await limits.loadBrokers(plan.flowsByLeader.keys());
      // Chunks were cut without knowing what their brokers take.
      return told && settings.chunkOversized ? planDelivery(wanted, leaders, settings.partitioner, records) : plan;
    },
    misfits: (wanted) => limits.misfits(wanted),
    hooks: {
      requestMaxOf: (link) => lore.brokers.of(nameOf(link)),
      suspects: createSuspects(brokers, parts.closings ?? new Closings(settings.clock), lore.brokers),
      isThrottled: (link) => brokers.hasThrottled(link),
    },
  };
}
