/** Reads a dead-letter topic, letter by letter: chunks joined, envelopes opened, marks of those sent again heeded. */
import { createJoiner, type Joiner, ownRecord } from '#chunking';
import { type FetchedRecord, type KafkaConnection, type ReadBatch, readTopics } from '#kafka-delivery';
import { type DeadLetter, isBroken, type LetterRecord, letterOf, REDRIVEN_HEADER } from './dead-letter.ts';
import { isMark, RedrivenMarks } from './redriven-marks.ts';

const STALL_MS_MAX = 60_000;
/** Nothing expires while a topic is read to its end: what is not whole then is told then. */
const WAIT_MS = Number.MAX_SAFE_INTEGER;

const reading = (kafka: KafkaConnection, topic: string, withValues: boolean) =>
  readTopics(kafka, { topics: [topic], to: 'written', withValues, stallMsMax: STALL_MS_MAX });

async function readMarks(kafka: KafkaConnection, topic: string): Promise<RedrivenMarks> {
  const marks = new RedrivenMarks();
  for await (const { partition, records } of reading(kafka, topic, false)) {
    for (const { key, valueBytes, headers, offset } of records) {
      const text = headers[REDRIVEN_HEADER];
      if (text !== undefined && isMark(key, valueBytes !== null)) marks.add(partition, text, BigInt(offset));
    }
  }
  return marks;
}

function toRecord({ topic, partition }: ReadBatch, record: FetchedRecord): LetterRecord {
  const { key, value, timestampMs, offset } = record;
  const content = { key, value, headers: record.rawHeaders ?? {} };
  // Letters are kept until they are sent, and of a fetch perhaps one.
  return ownRecord({ topic, partition, offset: BigInt(offset), timestampMs, ...content });
}

function* lettersOf(record: LetterRecord, joiner: Joiner<LetterRecord>, marks: RedrivenMarks): Generator<DeadLetter> {
  const { topic, partition, headers } = record;
  if (headers[REDRIVEN_HEADER] !== undefined && isMark(record.key, record.value !== null)) return;
  const isRedriven = (offsets: readonly bigint[]) => offsets.every((offset) => marks.has(partition, offset));
  const alone = (each: LetterRecord) =>
    letterOf({ topic, partition: each.partition, offsets: [each.offset] }, each, isRedriven([each.offset]));
  if (isBroken(headers)) {
    yield alone(record);
    return;
  }
  for (const outcome of joiner.accept(record)) {
    if (outcome.kind === 'message') {
      const { offsets, ...content } = outcome.message;
      const { timestampMs } = record;
      yield letterOf({ topic, partition, offsets }, { ...content, timestampMs }, isRedriven(offsets));
    } else if (outcome.kind === 'dead') for (const each of outcome.records) yield alone(each);
  }
}

/**
 * Every letter written before the call, in the order of their partitions' offsets. Reads the topic twice: marks first. Memory: one
 * fetch, the marks, and the chunks of unfinished letters. Chunks of which the rest is missing (retention took it) are left out.
 * Rejects as `readTopics` does.
 */
export async function* readDeadLetters(kafka: KafkaConnection, topic: string): AsyncGenerator<DeadLetter> {
  const marks = await readMarks(kafka, topic);
  const joiner = createJoiner<LetterRecord>({ clock: kafka.settings.clock, waitMs: WAIT_MS });
  for await (const batch of reading(kafka, topic, true)) {
    for (const record of batch.records) yield* lettersOf(toRecord(batch, record), joiner, marks);
  }
}
