/** Is the cluster there, new enough, and how long does it keep the markers of idle lanes? */
import { RelayError, withDeadline } from '#runtime';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfThrown } from './fault-table.ts';
import { describeConfigs } from './wire/inspect-requests.ts';

export interface KafkaPreflight {
  readonly brokers: number;
  /** Minutes until the offsets of an idle group expire; null when we may not ask. */
  readonly offsetsRetentionMinutes: number | null;
  /** The longest transaction timeout the brokers allow; null when we may not ask. */
  readonly transactionTimeoutMsMax: number | null;
}

const DEADLINE_MS = 10_000;
const RETENTION = 'offsets.retention.minutes';
const TIMEOUT_MAX = 'transaction.max.timeout.ms';

/** Every API and version we speak: checked at once, so that an old broker is told at the start and not at the first use. */
const NEEDED: readonly (readonly [string, number, number])[] = [
  ['Produce', 0, 7],
  ['Fetch', 1, 10],
  ['ListOffsets', 2, 2],
  ['Metadata', 3, 4],
  ['OffsetFetch', 9, 7],
  ['FindCoordinator', 10, 1],
  ['InitProducerId', 22, 1],
  ['AddPartitionsToTxn', 24, 1],
  ['AddOffsetsToTxn', 25, 1],
  ['EndTxn', 26, 1],
  ['TxnOffsetCommit', 28, 1],
];

/** The first API that a broker does not speak in our version, or null: `Produce version 7`. */
export function findMissingApi(
  spoken: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>,
): { readonly api: string; readonly version: number } | null {
  for (const [api, number, version] of NEEDED) {
    const range = spoken[number];
    if (!range || range.minVersion > version || version > range.maxVersion) return { api, version };
  }
  return null;
}

async function look(connection: KafkaConnection): Promise<KafkaPreflight> {
  const brokers = connection.brokers();
  try {
    const link = await brokers.any();
    const missing = findMissingApi(link.versions());
    if (missing !== null) {
      const { api, version } = missing;
      throw new RelayError(
        'KAFKA_UNSUPPORTED',
        `the broker does not speak ${api} version ${version}: Kafka 2.5 or newer is needed`,
        { details: { api } },
      );
    }
    const cluster = await brokers.describe([]);
    const [first] = cluster.brokers;
    if (!first) throw new RelayError('KAFKA_UNREACHABLE', 'the cluster names no broker');
    const node = await brokers.node(first.nodeId);
    const resource = { kind: 'broker', name: String(first.nodeId) } as const;
    const [config] = await node.ask(describeConfigs([resource], [RETENTION, TIMEOUT_MAX]));
    const numberOf = (name: string) => {
      const text = config?.code === CODE.none ? config.values.get(name) : null;
      return text ? Number(text) : null;
    };
    return {
      brokers: cluster.brokers.length,
      offsetsRetentionMinutes: numberOf(RETENTION),
      transactionTimeoutMsMax: numberOf(TIMEOUT_MAX),
    };
  } finally {
    await brokers.close();
  }
}

/** Rejects with KAFKA_UNREACHABLE within 10 s, KAFKA_REFUSED, KAFKA_UNSUPPORTED, or CONFIG_INVALID. */
export async function preflight(connection: KafkaConnection): Promise<KafkaPreflight> {
  return withDeadline(look(connection), DEADLINE_MS, 'looking for Kafka').catch((error) => {
    throw faultOfThrown(error, { step: 'connect' });
  });
}
