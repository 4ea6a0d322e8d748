/**
 * A dead letter whose message does not fit beside the reason for its death: key, headers and value move into the value
 * together, which may be cut into chunks as any other. Nothing of the message is lost, whatever was too large in it.
 */
import type { MessageHeaders } from '#chunking';
import type { PendingRecord } from './message.ts';
import { DEAD_LETTER_PREFIX, isOwnHeader, ORIGIN_OFFSET_HEADER, ORIGIN_TOPIC_HEADER } from './retry-headers.ts';

export const ENVELOPE_HEADER = `${DEAD_LETTER_PREFIX}envelope`;
const FORMAT = 'json-base64';
const SHORT_CHARACTERS_MAX = 200;

type Headers = readonly (readonly [string, string | null])[];

interface EnvelopeContent {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);
const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString('base64');

/** Chunks of it, and all copies, lie together: the key says where the message was. */
const keyOf = (headers: MessageHeaders): Buffer =>
  Buffer.from(`${String(headers[ORIGIN_TOPIC_HEADER]).slice(0, 249)}/${String(headers[ORIGIN_OFFSET_HEADER])}`);

/** Headers of the death stay outside, shortened, to be found by `dlt list`. */
export function inEnvelope(letter: PendingRecord): PendingRecord {
  const outside: MessageHeaders = { [ENVELOPE_HEADER]: FORMAT };
  const inside: [string, string | null][] = [];
  for (const [name, value] of Object.entries(letter.headers)) {
    if (value === undefined) continue;
    if (isOwnHeader(name)) outside[name] = String(value).slice(0, SHORT_CHARACTERS_MAX);
    else for (const each of listOf(value)) inside.push([name, each === null ? null : base64(each)]);
  }
  const { key, value } = letter;
  const content = { key: key && base64(key), value: value && base64(value), headers: inside };
  const bytes = Buffer.from(JSON.stringify(content));
  return { ...letter, key: keyOf(letter.headers), value: bytes, headers: outside, mayBeSplit: true };
}

const isText = (value: unknown): value is string | null => value === null || typeof value === 'string';
const isHeaders = (value: unknown): value is Headers =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string' && isText(pair[1]));

/** What was put in; null for bytes that are no envelope. */
export function fromEnvelope(bytes: Buffer): EnvelopeContent | null {
  let content: { readonly key?: unknown; readonly value?: unknown; readonly headers?: unknown } | null;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  const { key, value, headers } = content ?? {};
  if (!isText(key) || !isText(value) || !isHeaders(headers)) return null;
  const bytesOf = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'));
  const found = new Map<string, (Buffer | null)[]>();
  for (const [name, text] of headers) {
    const before = found.get(name);
    if (before === undefined) found.set(name, [bytesOf(text)]);
    else before.push(bytesOf(text));
  }
  const listed = [...found].map(([name, values]) => [name, values.length === 1 ? values[0] : values]);
  return { key: bytesOf(key), value: bytesOf(value), headers: Object.fromEntries(listed) };
}
