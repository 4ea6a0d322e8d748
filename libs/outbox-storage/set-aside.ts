/** Copies rows into the dead-letter table before the lane's marker may pass them. */
import type { SqlValue } from '#database';
import { type AsideEntry, type Doubt, errorText, IN_DOUBT } from '#outbox';
import { keyHash } from './aside-row.ts';
import { addDoubts } from './attempts.ts';
import { encodeMessage, planStatements } from './plan-statements.ts';
import { underClaim } from './prove-claim.ts';
import type { Storage } from './storage.ts';

const COLUMNS =
  '(id, lane, state, event_id, topic, record_key, key_hash, payload, headers, size, attempts, attempt_token, waits_for, error, due_at, first_at, last_at)';
const ROW = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, NOW(6) + INTERVAL ? MICROSECOND, NOW(6), NOW(6))';
/** What a row has here that it has not in the outbox, in bytes, without its error. */
const MORE_BYTES = 1_500;
/** UTF-8 bytes of a UTF-16 code unit at most. */
const UTF8_BYTES_MAX = 3;

/**
 * All of them or none; false, with nothing changed, when the claim is no longer ours. A row already there stays as it is.
 * Many rows a statement, as many as the server takes.
 */
export async function setAside(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  entries: readonly AsideEntry[],
  doubts: readonly Doubt[] = [],
): Promise<boolean> {
  const encoded = entries.map(({ row, error }) => {
    const message = encodeMessage(row);
    return { ...message, size: message.size + MORE_BYTES + errorText(error).length * UTF8_BYTES_MAX };
  });
  const done = await underClaim(storage, lane, claimEpoch, async (session) => {
    const asText = session.engine.kind === 'singlestore' || session.engine.kind === 'unknown';
    for (const { start, rows } of planStatements(encoded, session.engine.statementBytesMax, asText)) {
      // Not INSERT IGNORE: that would also cut values that do not fit.
      const values = Array(rows).fill(ROW).join(', ');
      const sql = `INSERT INTO ${storage.tables.deadLetter} ${COLUMNS} VALUES ${values} ON DUPLICATE KEY UPDATE id = id`;
      const flat = entries.slice(start, start + rows).flatMap((entry) => valuesOf(lane, entry));
      if (asText) await session.run(sql, flat);
      else await session.runPrepared(sql, flat);
    }
    if (doubts.length > 0) await addDoubts(session, storage.tables, lane, doubts);
    return true;
  });
  return done ?? false;
}

function valuesOf(lane: number, { row, state, error, dueInMs, waitsFor, inDoubt }: AsideEntry): SqlValue[] {
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
    inDoubt ? IN_DOUBT : 0,
    waitsFor ?? null,
    errorText(error),
    Math.round(dueInMs * 1_000),
  ];
}
