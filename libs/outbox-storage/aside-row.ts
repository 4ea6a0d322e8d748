/** The row of the dead-letter table: its columns and their mapping. */
import { createHash } from 'node:crypto';
import type { AsideHead, AsideRow, AsideState } from '#outbox';

interface HeadColumns {
  readonly id: string;
  readonly lane: number;
  readonly state: string;
  readonly event_id: string;
  readonly topic: string;
  readonly record_key: Buffer | null;
  readonly size: number;
  readonly attempts: number;
  readonly attempt_token: string;
  readonly waits_for: string | null;
  readonly due_in_us: string;
}

export interface AsideColumns extends HeadColumns {
  readonly payload: Buffer | null;
  readonly headers: string | null;
}

export interface AsideHeadColumns extends HeadColumns {
  readonly value_bytes: string | null;
}

const COMMON =
  'd.id, d.lane, d.state, d.event_id, d.topic, d.record_key, d.size, d.attempts, d.attempt_token, d.waits_for, TIMESTAMPDIFF(MICROSECOND, NOW(6), d.due_at) AS due_in_us';
/** `d` is the table's alias. */
export const ASIDE_COLUMNS = `${COMMON}, d.payload, d.headers`;
export const ASIDE_HEAD_COLUMNS = `${COMMON}, LENGTH(d.payload) AS value_bytes`;

/** The driver's buffers point into what it received; a row aside is kept for long and must not keep all of that. */
const own = (bytes: Buffer | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));

const common = (row: HeadColumns): Omit<AsideRow, 'value' | 'headers'> => ({
  id: Number(row.id),
  lane: row.lane,
  state: row.state as AsideState,
  eventId: row.event_id,
  topic: row.topic,
  key: own(row.record_key),
  size: row.size,
  attempts: row.attempts,
  attemptToken: Number(row.attempt_token),
  waitsFor: row.waits_for,
  dueInMs: Number(row.due_in_us) / 1_000,
});

export const toAside = (row: AsideColumns): AsideRow => ({
  ...common(row),
  value: own(row.payload),
  headers: row.headers === null ? null : (JSON.parse(row.headers) as Record<string, string>),
});

export const toAsideHead = (row: AsideHeadColumns): AsideHead => ({
  ...common(row),
  valueBytes: row.value_bytes === null ? null : Number(row.value_bytes),
});

/** Stands for the key in an index: keys can be longer than an index takes. */
export const keyHash = (key: Buffer | null): Buffer | null =>
  key === null ? null : createHash('sha256').update(key).digest();
