/** A dead letter as its reader sees it: the message as it was, and the note about its death. Pure. */
import { type MessageHeaders, type ReadRecord, withoutChunkHeaders } from '#chunking';
import {
  DEAD_LETTER_PREFIX,
  ENVELOPE_HEADER,
  fromEnvelope,
  type Origin,
  ownHeaders,
  readOrigin,
} from '#retriable-consumer';

export interface LetterPlace {
  readonly topic: string;
  readonly partition: number;
  /** Ascending; several when it came in chunks. */
  readonly offsets: readonly bigint[];
}

export interface DeadLetter extends LetterPlace {
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** As the sender gave them. */
  readonly headers: MessageHeaders;
  /** It never became a message, and keeps the headers of its chunk. */
  readonly broken: boolean;
  readonly origin: Origin;
  /** `reason`, `error_class`, `error_message`, `error_stack`, `attempts`, `group`, `time`, ..: what its consumer has noted. */
  readonly note: Readonly<Record<string, string>>;
  readonly redriven: boolean;
}

export interface LetterRecord extends ReadRecord {
  readonly timestampMs: number;
}

/** Marks are records of the dead-letter topic itself: this header lists the offsets of their partition that were sent again. */
export const REDRIVEN_HEADER = `${DEAD_LETTER_PREFIX}redriven`;
export const MARK_KEY = Buffer.from('kafka_row_sender_redriven');

/** Reasons of records that make no message. They are sent on as they came, chunk by chunk. */
const BROKEN_REASONS: readonly string[] = [
  'missing-header',
  'malformed-header',
  'chunk-id-out-of-range',
  'too-many-chunks',
  'chunk-count-contradicts',
  'chunk-content-contradicts',
  'waited-too-long',
  'memory-full',
  'group-is-dead',
];

export function noteOf(headers: MessageHeaders): Record<string, string> {
  const note: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(DEAD_LETTER_PREFIX)) note[name.slice(DEAD_LETTER_PREFIX.length)] = String(value);
  }
  return note;
}

/** True for a record that is not to be joined with others, whatever its headers say; envelopes are cut by us, and whole. */
export const isBroken = (headers: MessageHeaders): boolean =>
  BROKEN_REASONS.includes(String(headers[`${DEAD_LETTER_PREFIX}reason`])) && headers[ENVELOPE_HEADER] === undefined;

/** Of one record, or of its chunks joined. */
export function letterOf(
  place: LetterPlace,
  content: Pick<LetterRecord, 'key' | 'value' | 'headers' | 'timestampMs'>,
  redriven: boolean,
): DeadLetter {
  const { headers, timestampMs } = content;
  const here = { topic: place.topic, partition: place.partition, offset: place.offsets[0] ?? 0n };
  const opened = headers[ENVELOPE_HEADER] === undefined ? null : fromEnvelope(content.value ?? Buffer.alloc(0));
  const { key, value } = opened ?? content;
  const note = noteOf(headers);
  const inner = opened?.headers ?? headers;
  const broken = BROKEN_REASONS.includes(note.reason ?? '');
  const chunkHeaders = Object.entries(inner).filter(([name]) => !(name in withoutChunkHeaders(inner)));
  const kept = broken ? { ...ownHeaders(inner), ...Object.fromEntries(chunkHeaders) } : ownHeaders(inner);
  return {
    ...place,
    timestampMs,
    key,
    value,
    headers: kept,
    broken,
    origin: readOrigin(headers, here),
    note,
    redriven,
  };
}
