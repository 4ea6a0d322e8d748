/** The message on the channel: `{"v":1,"from":"..","rings":[..]}`. Whatever does not look exactly like it is ignored. */
import type { DoorbellRing } from '#outbox';
import { LANES_MAX } from '#outbox';

const VERSION = 1;
/** Far above the largest message we send: all lanes in three lists, and all sources twice. */
const MESSAGE_LENGTH_MAX = 512 * 1024;
const SOURCE_LENGTH_MAX = 255;
const RINGS_MAX = 4096;

export interface DoorbellMessage {
  /** Who rang, so that a process does not hear its own rings twice. */
  readonly from: string;
  readonly rings: readonly DoorbellRing[];
}

export function encodeMessage(message: DoorbellMessage): string {
  return JSON.stringify({ v: VERSION, ...message });
}

/** Null when the text is not a message of ours. Rings of kinds we do not know (a newer version's) are left out. */
export function decodeMessage(text: string): DoorbellMessage | null {
  if (text.length > MESSAGE_LENGTH_MAX) return null;
  const value = parse(text);
  if (!isRecord(value) || value.v !== VERSION) return null;
  const { from, rings } = value;
  if (typeof from !== 'string' || !Array.isArray(rings) || rings.length > RINGS_MAX) return null;
  return { from, rings: rings.map(decodeRing).filter((ring) => ring !== null) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isLanes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= LANES_MAX &&
    value.every((lane) => Number.isInteger(lane) && lane >= 0 && lane < LANES_MAX)
  );
}

function isSource(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= SOURCE_LENGTH_MAX;
}

function decodeRing(value: unknown): DoorbellRing | null {
  if (!isRecord(value)) return null;
  const { kind, lanes, source } = value;
  if (kind === 'lanes-changed') return { kind };
  if (kind === 'leader-gone' || kind === 'source-rows') return isSource(source) ? { kind, source } : null;
  if (kind === 'rows' || kind === 'retry-due' || kind === 'markers-due') return isLanes(lanes) ? { kind, lanes } : null;
  return null;
}
