/**
 * Records larger than their topic takes, cut into chunks (the chunking library's, for whoever joins them). Only where it is
 * asked for: a chunk is nothing that an ordinary consumer can read.
 */
import { createHash } from 'node:crypto';
import { headerBytes, type MessageHeaders, splitMessage } from '#chunking';
import { RelayError } from '#runtime';
import type { BatchBounds } from './batch-bounds.ts';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfThrown } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { describeConfigs } from './wire/inspect-requests.ts';
import type { RecordContent } from './wire/record-batch.ts';

export interface RecordLimits {
  /** What one record of the topic may take, in bytes; null: it is never cut. */
  of(topic: string): number | null;
}

export interface LoadedRecordLimits extends RecordLimits {
  /** Asks for the limits of topics that are not known yet. Never rejects for a right that is missing: the default is assumed. */
  load(topics: ReadonlySet<string>): Promise<void>;
}

export const BOUNDLESS: RecordLimits = { of: () => null };

const LIMIT = 'max.message.bytes';
/** The default of brokers, assumed where we may not ask; a refused chunk then halves it. */
const LIMIT_DEFAULT = 1_048_588;
/** Header bytes below which nothing is looked at closely: what rows of this relay carry. */
const HEADERS_BYTES_USUAL = 4_096;
const RECORD_OVERHEAD_BYTES = 100;
const GROUP_BYTES = 16;

type Routed = RecordContent & { readonly topic: string };

export function fits(record: Routed, limits: RecordLimits): boolean {
  const limit = limits.of(record.topic);
  if (limit === null) return true;
  const payload = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  if (payload + HEADERS_BYTES_USUAL < limit && limit > 4 * HEADERS_BYTES_USUAL) return true;
  return payload + headerBytes(record.headers as MessageHeaders) + RECORD_OVERHEAD_BYTES <= limit;
}

/** The same for each attempt at a record: chunks of an earlier one, seen uncommitted or sent twice, are known as duplicates. */
function groupOf({ topic, headers }: Routed): Buffer {
  const name = [topic, String(headers.source), String(headers.id), String(headers['outbox-id'])].join('\n');
  const group = createHash('sha256').update(name).digest().subarray(0, GROUP_BYTES);
  // Version 4 and the variant of RFC 9562, which readers may check.
  group[6] = ((group[6] as number) & 0x0f) | 0x40;
  group[8] = ((group[8] as number) & 0x3f) | 0x80;
  return group;
}

/** In order. The record itself where key and headers leave no room: Kafka refuses it then. */
export function chunksOf<R extends Routed>(record: R, limits: RecordLimits): readonly RecordContent[] {
  const recordBytesMax = limits.of(record.topic);
  if (recordBytesMax === null) return [record];
  const { key, value } = record;
  const headers = record.headers as MessageHeaders;
  try {
    const chunks = splitMessage({ key, value, headers }, { recordBytesMax, newGroup: () => groupOf(record) });
    return chunks.map((chunk) => ({ ...chunk, headers: chunk.headers as RecordContent['headers'] }));
  } catch (thrown) {
    if (thrown instanceof RelayError && thrown.code === 'KAFKA_RECORD_REFUSED') return [record];
    throw thrown;
  }
}

/** `requestMax`: what a request may take to every broker that told; a chunk has to fit that too. */
export function createRecordLimits(
  brokers: Brokers,
  settings: KafkaSettings,
  bounds: BatchBounds,
  requestMax: () => number | null = () => null,
): LoadedRecordLimits {
  if (!settings.chunkOversized) return { ...BOUNDLESS, load: async () => undefined };

  async function load(topics: ReadonlySet<string>): Promise<void> {
    const unknown = [...topics].filter((topic) => bounds.recordMax(topic) === null);
    if (unknown.length === 0) return;
    const resources = unknown.map((name) => ({ kind: 'topic', name }) as const);
    const link = await brokers.any();
    const described = await link.ask(describeConfigs(resources, [LIMIT])).catch((error) => {
      const fault = faultOfThrown(error, { step: 'metadata' });
      if (fault.code === 'KAFKA_UNSUPPORTED') return [];
      throw fault;
    });
    for (const topic of unknown) {
      const found = described.find(({ name }) => name === topic);
      const limit = found?.code === CODE.none ? Number(found.values.get(LIMIT)) : Number.NaN;
      const assumed = !(limit > 0);
      if (assumed) settings.logger.warn({ topic }, `${LIMIT} cannot be asked for: assuming the default`);
      bounds.learn(topic, assumed ? LIMIT_DEFAULT : limit, assumed);
    }
  }

  return {
    of: (topic) => {
      const recordMax = bounds.recordMax(topic);
      const most = requestMax();
      return recordMax === null || most === null ? recordMax : Math.min(recordMax, most);
    },
    load,
  };
}
