/**
 * The settings of one file: its marker group carries the file's id. Files share one Kafka without settings of their own, and a
 * file made anew never meets the markers of the one before it.
 */
import type { Config } from '#config';
import { nameInId } from '#runtime';

export function kafkaView(config: Config, fileId: string): Config {
  const { kafka, tables } = config;
  const markerName = `${nameInId(tables.outbox)}.${fileId}`;
  return { ...config, kafka: { ...kafka, markerName, markerGroup: `${kafka.transactionalIdPrefix}.${markerName}` } };
}
