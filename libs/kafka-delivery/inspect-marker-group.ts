/** The groups that keep the markers, as the cluster sees them. Nobody but the relay's transactions may write their offsets. */

import { askCoordinator } from './ask-coordinator.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { markerGroup } from './kafka-options.ts';
import { describeGroup, mayDo } from './wire/inspect-requests.ts';

export interface GroupFacts {
  readonly group: string;
  /** `Empty` with markers, `Dead` before the first one; anything else is a consumer's group. */
  readonly state: string;
  readonly members: number;
  /** Null: the broker did not say. */
  readonly mayRead: boolean | null;
}

const PATIENCE_MS = 10_000;

/** Rejects with KAFKA_REFUSED when we may not describe the group, and with the fault table's codes. */
export async function inspectMarkerGroup(connection: KafkaConnection, kind: 'lane' | 'retry'): Promise<GroupFacts> {
  const { settings } = connection;
  const group = markerGroup(settings.prefix, settings.outboxTable, kind);
  const brokers = connection.brokers();
  try {
    const request = describeGroup(group);
    const question = { kind: 'group', key: group, step: 'read', request, patienceMs: PATIENCE_MS } as const;
    const { code, state, members, operations } = await askCoordinator(brokers, settings, question);
    if (code !== CODE.none) throw faultOfCode(code, { step: 'read', api: request.name });
    return { group, state, members, mayRead: mayDo(operations, 'read') };
  } catch (error) {
    throw faultOfThrown(error, { step: 'read' });
  } finally {
    await brokers.close();
  }
}
