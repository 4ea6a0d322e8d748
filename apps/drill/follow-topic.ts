/** A read_committed reader that runs through a whole round, connected to the brokers themselves, not through a proxy. */
import { loadConfig } from '#config';
import { connectKafka, readTopics } from '#kafka-delivery';
import { asRelayError, silentLogger, systemClock } from '#runtime';
import { type HistoryRecord, type Ledger, LedgerCheck, type LedgerResult, readSampleRow, sampleToken } from '#testkit';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import type { Tally } from './tally.ts';

export interface TopicReader {
  /** A reading has ended by a fault of its own; null while all run. */
  readonly fault: Error | null;
  /** Reads this topic, too, from its beginning. */
  follow(topic: string): void;
  /** Looks for partitions anew; records read already are not counted twice. */
  reopen(): Promise<void>;
  /** Records of the topic read so far. */
  count(topic: string): number;
  /** A topic was deleted and made again: what is in it is all new. */
  forget(topic: string): Promise<void>;
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string>>;

const REOPEN_PAUSE_MS = 500;
/** Its own: a quota of the processes is none of the reader. */
const CLIENT = { KAFKA_ROW_SENDER_KAFKA_CLIENT_ID: 'drill-reader' } as const;

const connection = (env: Environment) =>
  connectKafka(kafkaOptions(loadConfig({ env: { ...env, ...CLIENT } }).config, silentLogger));

/** Follows the topics from their beginning until stopped, each by itself: one that is ill does not hide the others. */
export function followTopics(
  env: Environment,
  topics: readonly string[],
  tally: Tally,
  onRecord: (record: HistoryRecord) => void,
): TopicReader {
  const followers = new Map<string, Follower>();
  const all = (act: (follower: Follower) => Promise<void>) => Promise.all([...followers.values()].map(act));
  const follow = (topic: string) => void followers.set(topic, new Follower(env, topic, tally, onRecord));
  topics.forEach(follow);
  return {
    get fault() {
      return [...followers.values()].find(({ fault }) => fault !== null)?.fault ?? null;
    },
    follow,
    reopen: async () => void (await all((follower) => follower.reopen())),
    count: (topic) => followers.get(topic)?.records ?? 0,
    forget: async (topic) => followers.get(topic)?.forget(),
    stop: async () => void (await all((follower) => follower.stop())),
  };
}

class Follower {
  fault: Error | null = null;
  records = 0;
  readonly #env: Environment;
  readonly #topic: string;
  readonly #tally: Tally;
  readonly #onRecord: (record: HistoryRecord) => void;
  /** By partition: what comes before it was read. */
  readonly #next = new Map<number, number>();
  #stopping = new AbortController();
  #done: Promise<void>;

  constructor(env: Environment, topic: string, tally: Tally, onRecord: (record: HistoryRecord) => void) {
    this.#env = env;
    this.#topic = topic;
    this.#tally = tally;
    this.#onRecord = onRecord;
    this.#done = this.#run(this.#stopping.signal);
  }

  async reopen(): Promise<void> {
    await this.stop();
    this.#stopping = new AbortController();
    this.#done = this.#run(this.#stopping.signal);
  }

  async forget(): Promise<void> {
    await this.stop();
    this.#next.clear();
    this.records = 0;
    await this.reopen();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.fault === null) {
      try {
        await this.#follow(signal);
      } catch (thrown) {
        if (asRelayError(thrown).verdict !== 'retry') this.fault = thrown instanceof Error ? thrown : new Error('?');
        else await systemClock.sleep(REOPEN_PAUSE_MS, signal);
      }
    }
  }

  async #follow(follow: AbortSignal): Promise<void> {
    const options = { topics: [this.#topic], withValues: true, follow };
    for await (const { records, topic, partition, position } of readTopics(connection(this.#env), options)) {
      const next = this.#next.get(partition) ?? 0;
      for (const { value, offset, headers } of records) {
        if (offset < next) continue;
        const { key, sequence } = readSampleRow(value);
        this.records += 1;
        this.#tally.record(key, sequence, partition);
        this.#onRecord({
          ...{ topic, partition, offset: String(offset), key, token: sampleToken({ key, sequence }), version: 1 },
          ...{ eventId: headers.id ?? '', outboxId: headers['outbox-id'] ?? '' },
        });
      }
      this.#next.set(partition, Math.max(next, position));
    }
  }
}

/** How many records the topics hold now, those of transactions under way included once they are committed. */
export async function countRecords(env: Environment, topics: readonly string[]): Promise<number> {
  let count = 0;
  for await (const { records } of readTopics(connection(env), { topics, to: 'written' })) {
    count += records.length;
  }
  return count;
}

/** Reads the topics once more, from their beginning to their end, and compares them with the ledger. */
export async function readAgain(env: Environment, topics: readonly string[], ledger: Ledger): Promise<LedgerResult> {
  const check = new LedgerCheck();
  for await (const { records, partition } of readTopics(connection(env), { topics, withValues: true })) {
    for (const { value } of records) {
      const { key, sequence } = readSampleRow(value);
      check.record(key, sequence, partition);
    }
  }
  return check.result(ledger);
}
