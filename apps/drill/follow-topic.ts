/** A read_committed reader that runs through a whole round, connected to the brokers themselves, not through a proxy. */
import { loadConfig } from '#config';
import { connectKafka, readTopics } from '#kafka-delivery';
import { asRelayError, silentLogger, systemClock } from '#runtime';
import { type Ledger, LedgerCheck, type LedgerResult, readSampleRow } from '#testkit';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import type { Tally } from './tally.ts';

export interface TopicReader {
  /** The reader has ended by a fault of its own; null while it runs. */
  readonly fault: Error | null;
  stop(): Promise<void>;
}

const REOPEN_PAUSE_MS = 500;

const connection = (env: Readonly<Record<string, string>>) =>
  connectKafka(kafkaOptions(loadConfig({ env }).config, silentLogger));

/** Follows the topic from its beginning until stopped. */
export function followTopic(env: Readonly<Record<string, string>>, topic: string, tally: Tally): TopicReader {
  const stopping = new AbortController();
  const state = { fault: null as Error | null };
  const run = async () => {
    const follow = stopping.signal;
    let opened = false;
    while (!follow.aborted) {
      try {
        for await (const { records } of readTopics(connection(env), { topics: [topic], withValues: true, follow })) {
          opened = true;
          for (const { value } of records) {
            const { key, sequence } = readSampleRow(value);
            tally.record(key, sequence);
          }
        }
      } catch (thrown) {
        // Before its first record it may begin again; later that would count every row twice.
        if (opened || asRelayError(thrown).verdict !== 'retry') throw thrown;
        await systemClock.sleep(REOPEN_PAUSE_MS, follow);
      }
    }
  };
  const done = run().catch((thrown: unknown) => {
    state.fault = thrown instanceof Error ? thrown : new Error(String(thrown));
  });
  return {
    get fault() {
      return state.fault;
    },
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

/** Reads the whole topic once more, from its beginning to its end, and compares it with the ledger. */
export async function readAgain(
  env: Readonly<Record<string, string>>,
  topic: string,
  ledger: Ledger,
): Promise<LedgerResult> {
  const check = new LedgerCheck();
  for await (const { records } of readTopics(connection(env), { topics: [topic], withValues: true })) {
    for (const { value } of records) {
      const { key, sequence } = readSampleRow(value);
      check.record(key, sequence);
    }
  }
  return check.result(ledger);
}
