/** The stage of the Kafka contract: a deployment, what a test gets of it, and its usual records and faults. */
import assert from 'node:assert/strict';
import type { DeliveryRecord, KafkaPort, MarkerWrite } from '#outbox';
import { RelayError } from '#runtime';
import type { KafkaGate } from '../fakes/kafka-port.ts';

export interface SeenRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClosablePort extends KafkaPort {
  close(): Promise<void>;
}

/** One deployment: a prefix with a marker topic of `markerPartitions`. Tests share it and use lanes of their own. */
export interface KafkaWorld {
  readonly markerPartitions: number;
  /** A value of this many bytes is refused. */
  readonly tooLargeBytes: number;
  port(options?: { readonly gate?: KafkaGate; readonly transactional?: boolean }): ClosablePort;
  createTopic(partitions: number): Promise<string>;
  /** As a read_committed reader sees it, by partition and offset. */
  committed(topic: string): Promise<readonly SeenRecord[]>;
}

export interface KafkaHarness {
  readonly name: string;
  /** Called in the first test; closing is the harness's own matter. */
  world(): Promise<KafkaWorld>;
}

export interface Scene {
  readonly world: KafkaWorld;
  /** A transactional id nobody else uses. */
  readonly id: string;
  /** A lane nobody else uses. */
  readonly lane: number;
  /** Closed after the test, and the sessions opened on it. */
  port(options?: Parameters<KafkaWorld['port']>[0]): KafkaPort;
}

export type Check = (title: string, body: (scene: Scene) => Promise<void>) => void;

export const record = (topic: string, number: number, changes: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  topic,
  key: Buffer.from(`key-${number % 7}`),
  value: Buffer.from(`{"n":${number}}`),
  headers: { id: `orders:${number}`, 'outbox-id': String(number), source: 'orders', lane: '0' },
  spread: number,
  size: 100,
  ...changes,
});

export const numbered = (topic: string, from: number, count: number): DeliveryRecord[] =>
  Array.from({ length: count }, (_, index) => record(topic, from + index));

export const marker = (lane: number, value: number, kind: 'lane' | 'retry' = 'lane'): MarkerWrite => ({
  kind,
  lane,
  value,
});

export const numbersOf = (seen: readonly SeenRecord[]): number[] =>
  seen.map(({ headers }) => Number(headers['outbox-id'])).sort((a, b) => a - b);

export async function rejection(work: Promise<unknown>): Promise<RelayError> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof RelayError, `expected a RelayError, got ${String(outcome)}`);
  return outcome;
}

/** A gate that fails, as a lost reply or a crash would, at one place the first time it is passed. */
export function failAt(place: string): KafkaGate {
  let armed = true;
  return async (name) => {
    if (name !== place || !armed) return;
    armed = false;
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', `failed at ${place}`);
  };
}
