/** Reads a dead-letter topic, letter by letter: chunks joined, envelopes opened, marks of those sent again heeded. */
import { createJoiner, type Joiner } from '#chunking';
import { type FetchedRecord, type KafkaConnection, type ReadBatch, readTopics } from '#kafka-delivery';
import { PositionSet } from '#verification';
import { type DeadLetter, isBroken, type LetterRecord, letterOf, REDRIVEN_HEADER } from './dead-letter.ts';

const STALL_MS_MAX = 60_000;
/** Nothing expires while a topic is read to its end: what is not whole then is told then. */
const WAIT_MS = Number.MAX_SAFE_INTEGER;
const RANGE = /^(\d{1,19})(?:-(\d{1,19}))?$/;

type Redriven = Map<number, PositionSet>;

const reading = (kafka: KafkaConnection, topic: string, withValues: boolean) =>
  readTopics(kafka, { topics: [topic], to: 'written', withValues, stallMsMax: STALL_MS_MAX });

/** Offsets as a mark lists them: `3-5,9`. */
export function rangesText(offsets: readonly bigint[]): string {
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const offset of offsets.toSorted((a, b) => (a < b ? -1 : 1))) {
    const open = ranges.at(-1);
    if (open?.last === offset - 1n) open.last = offset;
    else ranges.push({ first: offset, last: offset });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** Marks of the topic, by partition. Memory: about two bytes a letter sent again. */
async function readMarks(kafka: KafkaConnection, topic: string): Promise<Redriven> {
  const marks: Redriven = new Map();
  for await (const { partition, records } of reading(kafka, topic, false)) {
    for (const { headers, offset } of records) {
      for (const range of headers[REDRIVEN_HEADER]?.split(',') ?? []) {
        const [, first = '', last = first] = RANGE.exec(range) ?? [];
        const set = marks.get(partition) ?? new PositionSet();
        marks.set(partition, set);
        // A mark is written behind what it marks: the bound of the loop.
        if (first === '') continue;
        for (let each = BigInt(first); each <= BigInt(last) && each < BigInt(offset); each += 1n) set.add(each);
      }
    }
  }
  return marks;
}

function toRecord({ topic, partition }: ReadBatch, record: FetchedRecord): LetterRecord {
  const { key, value, timestampMs, offset } = record;
  return { topic, partition, offset: BigInt(offset), key, value, headers: record.rawHeaders ?? {}, timestampMs };
}

function* lettersOf(record: LetterRecord, joiner: Joiner<LetterRecord>, marks: Redriven): Generator<DeadLetter> {
  const { topic, partition, headers } = record;
  if (headers[REDRIVEN_HEADER] !== undefined) return;
  const isRedriven = (offsets: readonly bigint[]) =>
    offsets.every((offset) => marks.get(partition)?.has(offset) === true);
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
