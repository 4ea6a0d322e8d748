/** Which dead letters are meant. Pure. */
import type { DeadLetter } from './dead-letter.ts';

/** All that is given must hold. */
export interface LetterFilter {
  /** The topic where the message was first. */
  readonly originTopic?: string;
  /** As text. */
  readonly key?: string;
  readonly errorClass?: string;
  readonly reason?: string;
  /** When it died, in milliseconds since the epoch: at or after, and before. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Of the dead-letter topic. */
  readonly partition?: number;
  /** Of its first record in the dead-letter topic: from, and up to and with. */
  readonly fromOffset?: bigint;
  readonly toOffset?: bigint;
  /** Those, too, that were sent again. */
  readonly withRedriven?: boolean;
}

/** When it died, as its consumer noted it; otherwise the time of the record. */
export function diedAtMs({ note, timestampMs }: DeadLetter): number {
  const notedMs = Date.parse(note.time ?? '');
  return Number.isNaN(notedMs) ? timestampMs : notedMs;
}

export function matches(letter: DeadLetter, filter: LetterFilter): boolean {
  const offset = letter.offsets[0] ?? 0n;
  const atMs = diedAtMs(letter);
  const same = (wanted: unknown, found: unknown) => wanted === undefined || wanted === found;
  return (
    same(filter.originTopic, letter.origin.topic) &&
    same(filter.key, letter.key?.toString('utf8')) &&
    same(filter.errorClass, letter.note.error_class) &&
    same(filter.reason, letter.note.reason) &&
    same(filter.partition, letter.partition) &&
    atMs >= (filter.sinceMs ?? Number.NEGATIVE_INFINITY) &&
    atMs < (filter.untilMs ?? Number.POSITIVE_INFINITY) &&
    (filter.fromOffset === undefined || offset >= filter.fromOffset) &&
    (filter.toOffset === undefined || offset <= filter.toOffset) &&
    (filter.withRedriven === true || !letter.redriven)
  );
}
