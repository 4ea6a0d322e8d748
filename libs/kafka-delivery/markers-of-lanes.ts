/** The offsets that are markers: which groups they are in, and how those of one transaction are written. */
import type { MarkerWrite } from '#outbox';
import { type KafkaSettings, markerGroup, markerTopic } from './kafka-options.ts';
import type { OffsetSet } from './transaction.ts';

const KINDS = ['lane', 'retry'] as const;

export const markerGroups = ({ prefix, outboxTable }: KafkaSettings): readonly string[] =>
  KINDS.map((kind) => markerGroup(prefix, outboxTable, kind));

/** `note` is written beside each of them. */
export function markerOffsets(settings: KafkaSettings, markers: readonly MarkerWrite[], note: string): OffsetSet[] {
  const { prefix, outboxTable } = settings;
  return KINDS.flatMap((kind) => {
    const offsets = markers
      .filter((marker) => marker.kind === kind)
      .map(({ lane, value }) => ({ partition: lane, offset: value }));
    if (offsets.length === 0) return [];
    const topics = [{ topic: markerTopic(prefix), offsets }];
    return [{ group: markerGroup(prefix, outboxTable, kind), member: null, topics, note }];
  });
}
