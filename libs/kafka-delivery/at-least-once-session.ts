/**
 * The honest weaker mode (acks not all, or idempotence off): a plain producer, no markers. A retry after a lost answer
 * sends the records twice; with acks 0 or 1 a broker's death can lose them.
 */
import type { DeliveryRecord, ProducerSession } from '#outbox';
import { RelayError, withDeadline } from '#runtime';
import { faultOfThrown, type Step } from './fault-table.ts';
import { nameTarget } from './fault-targets.ts';
import { topicsOf } from './plan-delivery.ts';
import { createPlanner } from './planner.ts';
import { sendToLeaders } from './send-flows.ts';
import { createSequences } from './sequences.ts';
import { createTopicViews } from './topic-views.ts';
import type { SessionContext } from './transactional-session.ts';

const DEADLINE_SHARE = 0.75;

const isDeadline = (error: unknown): boolean => error instanceof RelayError && error.code === 'DEADLINE_EXCEEDED';

export async function openAtLeastOnceSession(context: SessionContext): Promise<ProducerSession> {
  const { settings, brokers, bounds } = context;
  const views = createTopicViews(brokers, settings);
  const planner = createPlanner(context, views);
  const timeMs = () => settings.clock.wallMs();
  const hooks = { ...planner.hooks, countOf: views.countOf };
  const sender = { settings, bounds, timeMs, sequences: createSequences(), identity: null, ...hooks };
  let dead = false;
  let step: Step = 'metadata';

  async function run(records: readonly DeliveryRecord[]): Promise<void> {
    step = 'metadata';
    const sentTo = topicsOf(records);
    const plan = await planner.plan(records, sentTo);
    step = 'send';
    await settings.gate?.('before:send');
    await sendToLeaders(brokers, plan.flowsByLeader, sender);
    await settings.gate?.('after:send');
  }

  async function transact(records: readonly DeliveryRecord[]): Promise<void> {
    if (dead) throw new RelayError('INTERNAL', 'transact on a Kafka producer that is dead');
    try {
      const deadlineMs = settings.transactionTimeoutMs * DEADLINE_SHARE;
      await withDeadline(run(records), deadlineMs, 'sending to Kafka');
    } catch (error) {
      // Nothing was sent, unless it took too long: then it may be yet.
      dead = step !== 'metadata' || isDeadline(error);
      views.forget();
      throw nameTarget(faultOfThrown(error, { step }), views.countOf);
    }
  }

  try {
    await brokers.any();
  } catch (error) {
    await brokers.close();
    throw faultOfThrown(error, { step: 'connect' });
  }
  return {
    transactional: false,
    transact,
    misfits: planner.misfits,
    throttle: () => brokers.throttle(),
    isIntact: () => !dead,
    close: async () => {
      dead = true;
      await brokers.close();
    },
  };
}
