/** Copies rows into the dead-letter table before the lane's marker may pass them. */
import type { SqlValue } from '#database';
import { type AsideEntry, errorText } from '#outbox';
import { keyHash } from './aside-row.ts';
import { underClaim } from './prove-claim.ts';
import type { Storage } from './storage.ts';

/** All of them or none; false, with nothing changed, when the claim is no longer ours. A row already there stays as it is. */
export function setAside(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  entries: readonly AsideEntry[],
): Promise<boolean> {
  // Not INSERT IGNORE: that would also cut values that do not fit.
  const sql = `INSERT INTO ${storage.tables.deadLetter} (id, lane, state, event_id, topic, record_key, key_hash, payload, headers, size, attempts, attempt_token, error, due_at, first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, NOW(6) + INTERVAL ? MICROSECOND, NOW(6), NOW(6)) ON DUPLICATE KEY UPDATE id = id`;
  return underClaim(storage, lane, claimEpoch, async (session) => {
    // One statement a row: rows set aside are few, and each may be as large as a statement can be.
    for (const entry of entries) await session.runPrepared(sql, valuesOf(lane, entry));
    return true;
  });
}

function valuesOf(lane: number, { row, state, error, dueInMs }: AsideEntry): SqlValue[] {
  return [
    row.id,
    lane,
    state,
    row.eventId,
    row.topic,
    row.key,
    keyHash(row.key),
    row.value,
    row.headers === null ? null : JSON.stringify(row.headers),
    row.size,
    errorText(error),
    Math.round(dueInMs * 1_000),
  ];
}
