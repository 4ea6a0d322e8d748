/**
 * Sends dead letters to where they came from (or elsewhere), each once: records and the mark that they were sent are in one
 * Kafka transaction. The transactional id belongs to the dead-letter topic: who starts later fences who started before, and
 * reads the marks only then. So neither a crash nor a second run, at once or afterwards, sends a letter twice.
 */
import {
  connectKafka,
  createGroupTransactions,
  type GroupTransactions,
  type KafkaConnection,
  type KafkaOptions,
  type RoutedRecord,
} from '#kafka-delivery';
import { type PendingRecord, routeRecord } from '#retriable-consumer';
import { asRelayError, crashPoint, RelayError } from '#runtime';
import { type DeadLetter, MARK_KEY, REDRIVEN_HEADER } from './dead-letter.ts';
import { type LetterFilter, matches } from './letter-filter.ts';
import { readDeadLetters } from './read-dead-letters.ts';
import { rangesText } from './redriven-marks.ts';

export interface RedriveOptions {
  readonly kafka: KafkaOptions;
  readonly topic: string;
  readonly filter: LetterFilter;
  /** Where to, instead of each letter's own origin. */
  readonly to?: string;
  /** Letters a second; without: as fast as it goes. */
  readonly ratePerSecond?: number;
  /** Letters at most. */
  readonly limit?: number;
  /** Only tell what would be sent. */
  readonly dryRun?: boolean;
  readonly onLetter?: (letter: DeadLetter, outcome: 'sent' | 'would-send' | 'refused', why: string | null) => void;
  readonly signal?: AbortSignal;
}

export interface RedriveResult {
  readonly sent: number;
  /** Their topic does not take them, or is not there: they stay. */
  readonly refused: number;
}

const BATCH_LETTERS_MAX = 100;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const RECORD_BYTES_MAX = 1_000_000;
const WHOLE_BYTES_MAX = 16 * 1024 * 1024;
/** Faults in a row, without a letter sent in between. */
const FAULTS_MAX = 5;
const RETRY_MS = 1_000;

interface Redrive {
  readonly options: RedriveOptions;
  readonly kafka: KafkaConnection;
  readonly transactions: GroupTransactions;
  readonly startedMs: number;
  /** Named as partition/offset. */
  readonly refused: Set<string>;
  sent: number;
  faults: number;
  /** After a refusal each letter goes alone, to find the one that is refused. */
  batchMax: number;
}

const nameOf = ({ partition, offsets }: DeadLetter): string => `${partition}/${offsets[0]}`;
const sizeOf = ({ key, value }: DeadLetter): number => (key?.length ?? 0) + (value?.length ?? 0);

async function route({ options, transactions }: Redrive, letter: DeadLetter): Promise<RoutedRecord[]> {
  const { key, value, headers, origin, broken } = letter;
  const topic = options.to ?? origin.topic;
  if (topic === options.topic) {
    throw new RelayError('CONFIG_INVALID', `letters of ${topic} cannot be sent to ${topic}: name another by --to`);
  }
  // Back to its own partition, where the later messages of its key are, whatever partitioner its sender uses.
  const fits = options.to === undefined && origin.partition < (await transactions.partitionsOf(topic));
  const partition = fits ? origin.partition : null;
  const record: PendingRecord = { kind: 'output', topic, partition, key, value, headers, mayBeSplit: !broken };
  const { partitionsOf } = transactions;
  const limitOf = (_: string, mayBeSplit: boolean) => (mayBeSplit ? RECORD_BYTES_MAX : WHOLE_BYTES_MAX);
  const spread = Number((letter.offsets[0] ?? 0n) % 1_000_000n);
  return routeRecord(record, { limitOf, partitionsOf }, spread).catch((thrown) => {
    if (asRelayError(thrown).code !== 'KAFKA_RECORD_REFUSED') throw thrown;
    // Key and headers leave no room for chunks: the topic may take it whole, as it did before.
    return routeRecord({ ...record, mayBeSplit: false }, { limitOf, partitionsOf }, spread);
  });
}

function marksOf(topic: string, letters: readonly DeadLetter[]): RoutedRecord[] {
  const partitions = [...new Set(letters.map(({ partition }) => partition))];
  return partitions.map((partition) => {
    const offsets = letters.filter((each) => each.partition === partition).flatMap((each) => each.offsets);
    const headers = { [REDRIVEN_HEADER]: rangesText(offsets) };
    return { topic, partition, key: MARK_KEY, value: null, headers, spread: 0 };
  });
}

/** Resolves with false when a letter among several was refused. Rejects with world faults. */
async function send(redrive: Redrive, letters: readonly DeadLetter[]): Promise<boolean> {
  const { options, transactions } = redrive;
  const [first] = letters;
  try {
    const records: RoutedRecord[] = [];
    for (const letter of letters) records.push(...(await route(redrive, letter)));
    await transactions.transact([...records, ...marksOf(options.topic, letters)], null);
    crashPoint('redrive-after-commit');
  } catch (thrown) {
    const error = asRelayError(thrown);
    const isRefusal = error.code === 'KAFKA_RECORD_REFUSED' || error.code === 'KAFKA_TOPIC_MISSING';
    if (!isRefusal || first === undefined) throw error;
    if (letters.length > 1) return false;
    redrive.refused.add(nameOf(first));
    options.onLetter?.(first, 'refused', error.message);
    return true;
  }
  redrive.sent += letters.length;
  redrive.faults = 0;
  for (const letter of letters) options.onLetter?.(letter, 'sent', null);
  return true;
}

/** Waits until so many letters may have been sent at the rate asked for. */
async function keepRate({ options, kafka, startedMs, sent }: Redrive): Promise<void> {
  const { ratePerSecond, signal } = options;
  const { clock } = kafka.settings;
  if (ratePerSecond === undefined) return;
  await clock.sleep(Math.max(0, startedMs + (sent / ratePerSecond) * 1_000 - clock.nowMs()), signal);
}

/** `again`: the letters have to be read anew. */
async function sendBatch(redrive: Redrive, letters: readonly DeadLetter[]): Promise<'done' | 'again'> {
  if (await send(redrive, letters)) {
    await keepRate(redrive);
    return 'done';
  }
  redrive.batchMax = 1;
  return 'again';
}

async function pass(redrive: Redrive): Promise<'done' | 'again'> {
  const { options, transactions, refused } = redrive;
  const { topic, filter, limit = Number.POSITIVE_INFINITY, dryRun, signal } = options;
  if (!dryRun) await transactions.open([topic]);
  let batch: DeadLetter[] = [];
  let bytes = 0;
  const batchMax = Math.min(redrive.batchMax, Math.max(1, Math.floor(options.ratePerSecond ?? BATCH_LETTERS_MAX)));
  for await (const letter of readDeadLetters(redrive.kafka, topic)) {
    if (signal?.aborted) throw new RelayError('STOPPED', 'stopped');
    if (redrive.sent + batch.length >= limit) break;
    if (letter.redriven || refused.has(nameOf(letter)) || !matches(letter, filter)) continue;
    if (dryRun) {
      redrive.sent += 1;
      options.onLetter?.(letter, 'would-send', null);
      continue;
    }
    batch.push(letter);
    bytes += sizeOf(letter);
    if (batch.length < batchMax && bytes < BATCH_BYTES_MAX) continue;
    if ((await sendBatch(redrive, batch)) === 'again') return 'again';
    batch = [];
    bytes = 0;
  }
  return batch.length === 0 ? 'done' : await sendBatch(redrive, batch);
}

/**
 * Throws KAFKA_FENCED when another run for the same topic has begun meanwhile, KAFKA_TOPIC_MISSING without the dead-letter
 * topic, CONFIG_INVALID for a letter that would go back to it, STOPPED, and world faults that last. What was sent until then
 * is sent, and the next run leaves it out.
 */
export async function redriveDeadLetters(options: RedriveOptions): Promise<RedriveResult> {
  const { topic } = options;
  const kafka = connectKafka(options.kafka);
  const { clock } = kafka.settings;
  if (options.to === topic) throw new RelayError('CONFIG_INVALID', `letters of ${topic} cannot be sent to ${topic}`);
  const {
    prefix: _prefix,
    outboxTable: _table,
    topics: _topics,
    acks: _acks,
    idempotent: _idempotent,
    ...rest
  } = options.kafka;
  const transactions = createGroupTransactions({ ...rest, transactionalId: `${topic}.redrive` });
  const redrive: Redrive = {
    options,
    kafka,
    transactions,
    startedMs: clock.nowMs(),
    refused: new Set(),
    sent: 0,
    faults: 0,
    batchMax: BATCH_LETTERS_MAX,
  };
  try {
    for (;;) {
      try {
        if ((await pass(redrive)) === 'done') return { sent: redrive.sent, refused: redrive.refused.size };
      } catch (thrown) {
        const error = asRelayError(thrown);
        const passes = error.code === 'KAFKA_OUTCOME_UNKNOWN' || error.code === 'KAFKA_UNREACHABLE';
        redrive.faults += 1;
        if (!passes || options.dryRun || redrive.faults >= FAULTS_MAX) throw error;
        // Whether the last transaction was committed, the marks tell.
        await clock.sleep(RETRY_MS, options.signal);
      }
    }
  } finally {
    await transactions.close();
  }
}
