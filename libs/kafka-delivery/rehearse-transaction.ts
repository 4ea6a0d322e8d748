/**
 * A transaction that writes nothing: opened under an id of its own, given the marker groups, and aborted. It shows that we may
 * open a producer with our timeout, that coordinators can be and answer, and what time it is there.
 */
import { withDeadline } from '#runtime';
import { askClock, type ClockDifference } from './ask-clock.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { requireCoordinators } from './explain-coordinator.ts';
import { faultOfThrown } from './fault-table.ts';
import { initProducer } from './init-producer.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { markerGroups } from './markers-of-lanes.ts';

export interface Rehearsal {
  /** Null where it does not tell. */
  readonly clockAheadMs: ClockDifference | null;
}

const DEADLINE_MS = 20_000;
async function play(brokers: Brokers, settings: KafkaSettings, id: string): Promise<Rehearsal> {
  await requireCoordinators(brokers);
  const identity = await initProducer(brokers, id, settings);
  return { clockAheadMs: await askClock(brokers, settings, identity, markerGroups(settings)) };
}

/** Rejects with KAFKA_REFUSED without the rights, CONFIG_INVALID for a timeout above the brokers' limit, and the fault table's codes. */
export async function rehearseTransaction(connection: KafkaConnection, transactionalId: string): Promise<Rehearsal> {
  const brokers = connection.brokers();
  try {
    const playing = play(brokers, connection.settings, transactionalId);
    return await withDeadline(playing, DEADLINE_MS, 'rehearsing a transaction').catch((error) => {
      throw faultOfThrown(error, { step: 'init' });
    });
  } finally {
    await brokers.close();
  }
}
