/**
 * Gives a source its watermark row and lanes of its own, next after the highest in use. Two primary keys do the locking: the
 * second writer of one source waits for the first one's watermark row, the second of two sources for the first one's lanes.
 */
import { type Session, transaction } from '#database';
import { encodeRanges, type GapPage, rangesOf } from '#outbox';
import { addLanes, whileLanesCollide } from './add-lanes.ts';
import { writeGaps } from './gap-pages.ts';
import { readLanesOf } from './lanes-of.ts';
import { retryDeadlock, type Storage } from './storage.ts';

export interface SourceRegistration {
  readonly source: string;
  readonly position: bigint;
  readonly gaps: readonly GapPage[];
  readonly lanes: number;
}

/** Throws CONFIG_INVALID when not enough of the 1,024 lanes are left. */
export function registerSource(storage: Storage, request: SourceRegistration): Promise<readonly number[]> {
  return whileLanesCollide(() =>
    retryDeadlock(storage, () => transaction(storage.pool, (session) => registerOn(session, storage, request))),
  );
}

async function registerOn(
  session: Session,
  { tables }: Storage,
  request: SourceRegistration,
): Promise<readonly number[]> {
  const taken = await session.query(`SELECT 1 FROM ${tables.watermark} WHERE source = ?`, [request.source]);
  if (taken.length > 0) return readLanesOf(session, tables, request.source);
  const position = request.position.toString();
  const gaps = encodeRanges(0n, request.gaps.flatMap(rangesOf));
  await session.run(
    `INSERT INTO ${tables.watermark} (source, position, next_sequence, epoch, leader, updated_at, start_position, start_gaps) VALUES (?, ?, 1, 0, NULL, NOW(6), ?, ?)`,
    [request.source, position, position, gaps],
  );
  await writeGaps(session, tables, request.source, { put: request.gaps, drop: [] });
  return addLanes(session, tables, request.source, request.lanes);
}
