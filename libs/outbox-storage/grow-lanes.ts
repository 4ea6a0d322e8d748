/**
 * Gives a source more lanes. The lane of a key changes with their number, so its later rows must not be appended to a new lane
 * while earlier ones wait in an old one (I5): the watermark row is locked first, which holds the writer back, then the
 * source's lanes must be seen empty, and only then do lanes come and the epoch rises. The writer under way, which knows the old
 * lanes, finds itself fenced and begins a term that reads the new ones.
 */
import { type Session, transaction } from '#database';
import { laneEnd, laneFloor } from '#outbox';
import { RelayError } from '#runtime';
import { addLanes, whileLanesCollide } from './add-lanes.ts';
import { openStorage, retryDeadlock, type Storage, type StoreOptions } from './storage.ts';

export interface GrowLanesRequest {
  readonly source: string;
  /** How many lanes the source is to have. */
  readonly lanes: number;
  /** How long the writer is held back for the senders to empty the lanes; below the lock wait limit of 5 s. */
  readonly drainMs: number;
}

export type GrowOutcome =
  | { readonly kind: 'grown'; readonly added: readonly number[] }
  | { readonly kind: 'there' }
  /** Lanes that still hold rows in the outbox, or set aside and not given up. Nothing changed. */
  | { readonly kind: 'not-empty'; readonly lanes: readonly number[] };

const POLL_MS = 50;

/** Throws CONFIG_INVALID for an unknown source, fewer lanes than there are, or more than are left. */
export async function growLanes(options: StoreOptions, request: GrowLanesRequest): Promise<GrowOutcome> {
  const storage = openStorage(options);
  return whileLanesCollide(() =>
    retryDeadlock(storage, () => transaction(storage.pool, (session) => growOn(session, storage, request))),
  );
}

interface OldLane {
  readonly lane: number;
  readonly delivered_id: string | null;
}

async function growOn(session: Session, storage: Storage, request: GrowLanesRequest): Promise<GrowOutcome> {
  const { tables } = storage;
  const { source, lanes: wanted } = request;
  const locked = await session.query(`SELECT 1 FROM ${tables.watermark} WHERE source = ? FOR UPDATE`, [source]);
  if (locked.length === 0) throw new RelayError('CONFIG_INVALID', `no writer has registered a source ${source}`);
  const lanes = await session.query<OldLane>(
    `SELECT lane, delivered_id FROM ${tables.lane} WHERE source = ? ORDER BY lane`,
    [source],
  );
  if (wanted < lanes.length) {
    throw new RelayError('CONFIG_INVALID', `source ${source} has ${lanes.length} lanes, which can only become more`);
  }
  if (wanted === lanes.length) return { kind: 'there' };
  const full = await untilEmpty(session, storage, lanes, request.drainMs);
  if (full.length > 0) return { kind: 'not-empty', lanes: full };
  const added = await addLanes(session, tables, source, wanted - lanes.length);
  await session.run(`UPDATE ${tables.watermark} SET epoch = epoch + 1, updated_at = NOW(6) WHERE source = ?`, [source]);
  return { kind: 'grown', added };
}

/** Each look is a statement of its own, and at READ COMMITTED so is what it sees. Resolves to the lanes still not empty. */
async function untilEmpty(
  session: Session,
  storage: Storage,
  lanes: readonly OldLane[],
  drainMs: number,
): Promise<readonly number[]> {
  const deadlineMs = storage.clock.nowMs() + drainMs;
  for (;;) {
    const full = await findFull(session, storage, lanes);
    if (full.length === 0 || storage.clock.nowMs() + POLL_MS > deadlineMs) return full;
    await storage.clock.sleep(POLL_MS);
  }
}

/** The outbox before the rows aside: a row is copied aside before it leaves the outbox, so it is seen in one of the two. */
async function findFull(session: Session, { tables }: Storage, lanes: readonly OldLane[]): Promise<number[]> {
  const full: number[] = [];
  for (const { lane, delivered_id } of lanes) {
    const after = delivered_id === null ? laneFloor(lane) : Number(delivered_id);
    const waiting = await session.query(`SELECT 1 FROM ${tables.outbox} WHERE id > ? AND id < ? ORDER BY id LIMIT 1`, [
      after,
      laneEnd(lane),
    ]);
    const aside = await session.query(`SELECT 1 FROM ${tables.deadLetter} WHERE lane = ? AND state <> 'dead' LIMIT 1`, [
      lane,
    ]);
    if (waiting.length > 0 || aside.length > 0) full.push(lane);
  }
  return full;
}
