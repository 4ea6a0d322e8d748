/**
 * Reads markers: the committed offsets of the marker group. Waits while a transaction that writes them is being ended,
 * and tells a missing marker topic from a missing marker: an expired or deleted one must never look like "start at 0".
 */
import { RelayError } from '#runtime';
import { demandOfCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode } from './fault-table.ts';
import { type KafkaSettings, markerGroup, markerTopic } from './kafka-options.ts';
import { type MarkerNote, readNote } from './marker-note.ts';
import { type CommittedOffset, fetchOffsets } from './wire/cluster-requests.ts';
import type { WireRequest } from './wire/request.ts';

/** Longer than a restarted broker needs to load its groups. */
const PATIENCE_MS = 30_000;
/** Whoever asks for settled markers comes again anyway. */
const SETTLED_PATIENCE_MS = 1_000;

export interface NotedMarker {
  readonly value: number;
  readonly note: MarkerNote | null;
}

/** Throws KAFKA_TOPIC_MISSING unless the marker topic has a partition for every lane asked for. */
async function checkMarkerTopic(brokers: Brokers, topic: string, lanes: readonly number[]): Promise<void> {
  const { topics } = await brokers.describe([topic]);
  const found = topics.find((each) => each.topic === topic);
  const code = found?.code ?? CODE.unknownTopic;
  const place = { step: 'read', topic } as const;
  if (code !== CODE.none && code !== CODE.unknownTopic) throw faultOfCode(code, place);
  const partitions = code === CODE.none ? (found?.partitions.length ?? 0) : 0;
  const highest = Math.max(...lanes);
  if (highest < partitions) return;
  const what = partitions === 0 ? 'does not exist' : `has ${partitions} partitions, lane ${highest} needs more`;
  throw new RelayError('KAFKA_TOPIC_MISSING', `the marker topic ${topic} ${what}: run init`, {
    details: { topic, partition: partitions === 0 ? null : highest },
  });
}

/** The offsets, under the code of the first one that has one. */
function stableOffsets(
  group: string,
  topic: string,
  lanes: readonly number[],
): WireRequest<{ code: number; offsets: readonly CommittedOffset[] }> {
  const request = fetchOffsets(group, topic, lanes, true);
  return {
    ...request,
    read: (reader) => {
      const { code, offsets } = request.read(reader);
      const bad = offsets.find((offset) => offset.code !== CODE.none);
      return { code: code === CODE.none ? (bad?.code ?? CODE.none) : code, offsets };
    },
  };
}

/** Markers by lane with what is noted beside them, -1 where there is none. Rejects with the fault table's codes. */
export async function readMarkers(
  brokers: Brokers,
  settings: KafkaSettings,
  kind: 'lane' | 'retry',
  lanes: readonly number[],
): Promise<ReadonlyMap<number, NotedMarker>> {
  if (lanes.length === 0) return new Map();
  const topic = markerTopic(settings.prefix);
  const group = markerGroup(settings.prefix, settings.outboxTable, kind);
  await checkMarkerTopic(brokers, topic, lanes);
  const request = stableOffsets(group, topic, lanes);
  const question = { kind: 'group', key: group, step: 'read', request, patienceMs: PATIENCE_MS } as const;
  const { offsets } = await demandOfCoordinator(brokers, settings, question);
  const found = new Map(offsets.map((each) => [each.partition, { value: each.offset, note: readNote(each.metadata) }]));
  return new Map(lanes.map((lane) => [lane, found.get(lane) ?? { value: -1, note: null }]));
}

/**
 * Markers that are in the group's log for good, -1 where there is none. Does not wait for open transactions: the answer
 * may lag. Rejects with the fault table's codes.
 */
export async function readSettledMarkers(
  brokers: Brokers,
  settings: KafkaSettings,
  kind: 'lane' | 'retry',
  lanes: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (lanes.length === 0) return new Map();
  const group = markerGroup(settings.prefix, settings.outboxTable, kind);
  const request = fetchOffsets(group, markerTopic(settings.prefix), lanes, false);
  const question = { kind: 'group', key: group, step: 'read', request, patienceMs: SETTLED_PATIENCE_MS } as const;
  const { offsets } = await demandOfCoordinator(brokers, settings, question);
  return new Map(offsets.filter((each) => each.code === CODE.none).map(({ partition, offset }) => [partition, offset]));
}
