/** The sender's half of the outbox in an SQLite file. */
import { laneFloor, type Member, type SenderStore } from '#outbox';
import { RelayError } from '#runtime';
import { failAttempts, listAsideHeads, readAside, setAside } from './aside-row.ts';
import { beginAttempt, listAttempts, listDoubted, listDoubts, removeAside, settleAttempts } from './attempts.ts';
import { claimLane } from './claim-lane.ts';
import { deleteDelivered } from './delete-delivered.ts';
import { LANE_COLUMNS, type LaneColumns, toLane } from './lane-row.ts';
import { listQueues, moveAside, readQueue } from './queues.ts';
import { readBatches } from './read-batches.ts';
import { renewLeases } from './renew-leases.ts';
import { listTopics, noteTopics } from './sent-topics.ts';
import { openStorage, type Storage, type StoreOptions } from './storage.ts';
import { NOW } from './tables.ts';
import { underClaim } from './under-claim.ts';

const WHY_LENGTH_MAX = 4_000;

export function createSenderStore(options: StoreOptions): SenderStore {
  const storage = openStorage(options);
  const { file, tables } = storage;
  const changeLane = async (lane: number, claimEpoch: number, set: string, ...values: readonly (number | string)[]) => {
    const update = `UPDATE ${tables.lane} SET ${set}, updated_at = ${NOW} WHERE lane = ?`;
    return (await underClaim(storage, lane, claimEpoch, (sql) => sql.run(update, ...values, lane) === 1)) ?? false;
  };
  const selectLanes = `SELECT ${LANE_COLUMNS} FROM ${tables.lane} ORDER BY lane`;
  return {
    heartbeat: (member, ttlMs) => heartbeat(storage, member, ttlMs),
    leave: async (memberId) => {
      await file.write((sql) => sql.run(`DELETE FROM ${tables.member} WHERE id = ?`, memberId));
    },
    listLanes: () => file.read((sql) => sql.all<LaneColumns>(selectLanes).map(toLane)),
    claimLane: (lane, holder, leaseMs) => claimLane(storage, lane, holder, leaseMs),
    clearFences: (lane, claimEpoch) => changeLane(lane, claimEpoch, "fence_ids = '[]'"),
    renewLeases: (claims, leaseMs) => renewLeases(storage, claims, leaseMs),
    // A lane whose first marker was not recorded stays without one as long as nothing was delivered: otherwise its missing
    // marker would halt it.
    releaseLane: (lane, claimEpoch, deliveredId) =>
      changeLane(
        lane,
        claimEpoch,
        'delivered_id = CASE WHEN delivered_id IS NULL AND ? <= ? THEN NULL ELSE MAX(COALESCE(delivered_id, ?), ?) END, holder = NULL, lease_until = NULL',
        deliveredId,
        laneFloor(lane),
        deliveredId,
        deliveredId,
      ),
    renameHolder: (lane, claimEpoch, holder) => changeLane(lane, claimEpoch, 'holder = ?', holder),
    recordMarkerWritten: (lane, claimEpoch, deliveredId) =>
      changeLane(lane, claimEpoch, 'delivered_id = MAX(COALESCE(delivered_id, ?), ?)', deliveredId, deliveredId),
    haltLane: (lane, claimEpoch, why) =>
      changeLane(lane, claimEpoch, "state = 'halted', why = ?", why.slice(0, WHY_LENGTH_MAX)),
    nextSequenceOf: (lane) => nextSequenceOf(storage, lane),
    readBatches: (cursors, limits) => readBatches(storage, cursors, limits),
    noteTopics: (topics, forMs) => noteTopics(storage, topics, forMs),
    listTopics: (sinceMs, rowsMax) => listTopics(storage, sinceMs, rowsMax),
    deleteDelivered: (lane, after, upTo, rowsMax) => deleteDelivered(storage, lane, after, upTo, rowsMax),
    setAside: (lane, claimEpoch, rows, doubts) => setAside(storage, lane, claimEpoch, rows, doubts),
    listAsideHeads: (lanes, rowsMax) => listAsideHeads(storage, lanes, rowsMax),
    readAside: (id) => readAside(storage, id),
    listQueues: (lanes) => listQueues(storage, lanes),
    readQueue: (lane, waitsFor, upTo, limits) => readQueue(storage, lane, waitsFor, upTo, limits),
    listDoubts: (lanes) => listDoubts(storage, lanes),
    listDoubted: (lane, waitsFor) => listDoubted(storage, lane, waitsFor),
    listAttempts: (lanes) => listAttempts(storage, lanes),
    beginAttempt: (lane, claimEpoch, ids, token) => beginAttempt(storage, lane, claimEpoch, ids, token),
    settleAttempts: (lane, claimEpoch, verdicts) => settleAttempts(storage, lane, claimEpoch, verdicts),
    failAttempts: (lane, claimEpoch, ids, outcome) => failAttempts(storage, lane, claimEpoch, ids, outcome),
    moveAside: (lane, claimEpoch, ids, to) => moveAside(storage, lane, claimEpoch, ids, to),
    removeAside: (ids) => removeAside(storage, ids),
  };
}

/** Writes this member's heartbeat, forgets those silent for longer than `ttlMs`; resolves to the live ids of the kind, ascending. */
function heartbeat({ file, tables }: Storage, { id, kind }: Member, ttlMs: number): Promise<readonly string[]> {
  const beat = `INSERT INTO ${tables.member} (id, kind, heartbeat_at, started_at) VALUES (?, ?, ${NOW}, ${NOW}) ON CONFLICT (id, kind) DO UPDATE SET heartbeat_at = ${NOW}`;
  return file.write((sql) => {
    sql.run(beat, id, kind);
    sql.run(`DELETE FROM ${tables.member} WHERE heartbeat_at < ${NOW} - ?`, ttlMs);
    const live = sql.all<{ id: string }>(`SELECT id FROM ${tables.member} WHERE kind = ? ORDER BY id`, kind);
    return live.map((row) => row.id);
  });
}

/** Throws INVARIANT_BROKEN for a lane without a source. */
async function nextSequenceOf({ file, tables }: Storage, lane: number): Promise<number> {
  const select = `SELECT w.next_sequence AS next FROM ${tables.lane} l JOIN ${tables.watermark} w ON w.source = l.source WHERE l.lane = ?`;
  const row = await file.read((sql) => sql.get<{ next: number }>(select, lane));
  if (row === undefined) throw new RelayError('INVARIANT_BROKEN', `lane ${lane} has no source with a watermark`);
  return row.next;
}
