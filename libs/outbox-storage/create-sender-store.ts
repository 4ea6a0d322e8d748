/** The sender's half of the outbox on a database. */
import type { SenderStore } from '#outbox';
import { beginAttempt, listAttempts, listDoubted, listDoubts, removeAside, settleAttempts } from './attempts.ts';
import { claimLane } from './claim-lane.ts';
import { clearFences } from './clear-fences.ts';
import { deleteDelivered } from './delete-delivered.ts';
import { failAttempts } from './fail-attempt.ts';
import { haltLane } from './halt-lane.ts';
import { heartbeat } from './heartbeat.ts';
import { leave } from './leave.ts';
import { listAsideHeads, readAside } from './list-aside-heads.ts';
import { listLanes } from './list-lanes.ts';
import { nextSequenceOf } from './next-sequence-of.ts';
import { listQueues, moveAside, readQueue } from './queues.ts';
import { BatchReader } from './read-batches.ts';
import { recordMarkerWritten } from './record-marker-written.ts';
import { releaseLane } from './release-lane.ts';
import { renameHolder } from './rename-holder.ts';
import { renewLeases } from './renew-leases.ts';
import { listTopics, noteTopics } from './sent-topics.ts';
import { setAside } from './set-aside.ts';
import { openStorage, type StoreOptions } from './storage.ts';

export function createSenderStore(options: StoreOptions): SenderStore {
  const storage = openStorage(options);
  const batches = new BatchReader(storage);
  return {
    heartbeat: (member, ttlMs) => heartbeat(storage, member, ttlMs),
    leave: (memberId) => leave(storage, memberId),
    listLanes: () => listLanes(storage),
    claimLane: (lane, holder, leaseMs) => claimLane(storage, lane, holder, leaseMs),
    clearFences: (lane, claimEpoch) => clearFences(storage, lane, claimEpoch),
    renewLeases: (claims, leaseMs) => renewLeases(storage, claims, leaseMs),
    releaseLane: (lane, claimEpoch, deliveredId) => releaseLane(storage, lane, claimEpoch, deliveredId),
    renameHolder: (lane, claimEpoch, holder) => renameHolder(storage, lane, claimEpoch, holder),
    recordMarkerWritten: (lane, claimEpoch, deliveredId) => recordMarkerWritten(storage, lane, claimEpoch, deliveredId),
    haltLane: (lane, claimEpoch, why) => haltLane(storage, lane, claimEpoch, why),
    nextSequenceOf: (lane) => nextSequenceOf(storage, lane),
    readBatches: (cursors, limits) => batches.read(cursors, limits),
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
