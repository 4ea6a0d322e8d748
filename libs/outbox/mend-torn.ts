/**
 * Puts right what a broker tore apart. Kafka 4.1 to 4.3.1, stopped under load, may end a committed transaction in some of its
 * partitions only (KAFKA-20734): some rows are in Kafka and the lane's marker does not know, others are not and the marker
 * says that they are. Both are written down before anything else happens to the lane: rows that did not arrive go aside, from
 * where they are sent once each in the order of their keys, and the marker passes those that did.
 */
import { RelayError } from '#runtime';
import { laneFloor, laneOf } from './lane.ts';
import type { AsideEntry, Doubt, Landed, LaneClaim, OpenAttempt, OutboxRow, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { targetOf } from './targets.ts';
import { untilSettled } from './until-settled.ts';

/** Partitions that one look may leave open; with more of them away the lanes wait. */
const DOUBTS_MAX = 10_000;

const UNKNOWN = 'its partition does not say whether it arrived';

/** A lane whose former producers are fenced, with its marker as Kafka has it now. */
export interface TornLane {
  readonly claim: Pick<LaneClaim, 'lane' | 'claimEpoch'>;
  readonly marker: number;
  /** Rows up to here are in Kafka for good. */
  readonly settled: number;
}

/** `unknown`: Kafka does not let us look. `lost`: claims that are somebody else's by now. */
export interface Mended {
  readonly unknown: boolean;
  readonly markers: ReadonlyMap<number, number>;
  readonly lost: ReadonlySet<number>;
}

/**
 * Looks what of the former producers' last transactions arrived, and mends the lanes where it is neither all nor nothing.
 * Call after fencing and with a session opened before, so that a claim proven here is fenced with us by whoever takes it.
 * Resolves to the markers that moved.
 */
export async function mendTorn(
  options: SenderOptions,
  session: ProducerSession,
  producers: readonly string[],
  lanes: readonly TornLane[],
): Promise<Mended> {
  const markers = new Map<number, number>();
  const lost = new Set<number>();
  if (lanes.length === 0 || producers.length === 0) return { unknown: false, markers, lost };
  const numbers = lanes.map(({ claim }) => claim.lane);
  const landed = await options.kafka.findLanded(producers, numbers);
  if (landed === null) return { unknown: true, markers, lost };
  const { committed, aborted, unknown } = landed;
  if (committed.size + aborted.size + unknown.length === 0) return { unknown: false, markers, lost };
  const tokens = unknown.length === 0 ? new Map<number, number>() : await options.kafka.readMarkers('retry', numbers);
  const attempts = await options.store.listAttempts(numbers);
  for (const torn of lanes) {
    const { lane } = torn.claim;
    const theirs = attempts.filter((attempt) => attempt.lane === lane);
    const isKept =
      (await mendAttempts(options, torn.claim, theirs, landed, tokens.get(lane))) &&
      (await deferDoubted(options, torn, unknown));
    const mended = isKept ? await mendLane(options, torn, landed) : null;
    if (mended === null) lost.add(lane);
    else if (mended > torn.marker) markers.set(lane, mended);
  }
  if (markers.size > 0) {
    await session.transact(
      [],
      [...markers].map(([lane, value]) => ({ kind: 'lane', lane, value })),
    );
    // What is deleted from here on relies on them.
    if (!(await untilSettled(options, 'lane', markers))) {
      throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'a marker behind a torn transaction does not settle');
    }
  }
  return { unknown: false, markers, lost };
}

/** The marker that the lane should have; null: the claim is somebody else's by now. */
async function mendLane(options: SenderOptions, { claim, marker }: TornLane, landed: Landed): Promise<number | null> {
  const { lane, claimEpoch } = claim;
  const tear = tearOf(landed, lane, marker);
  if (tear === null) return marker;
  const rows = await notArrived(options, lane, tear, landed);
  if (rows.length === 0 && tear.upTo <= marker) return marker;
  const asides = rows.map((row): AsideEntry => {
    const waitsFor = unknownTarget(options, landed.unknown, row);
    const why = { row, error: 'its transaction was torn', dueInMs: 0 };
    return waitsFor === null ? { ...why, state: 'parked' } : { ...why, state: 'waiting', waitsFor };
  });
  const known = new Set((await options.store.listAsideHeads([lane], options.parkedKeysMax + 1)).map(({ id }) => id));
  // Also without a row: it is the look whether the claim still stands.
  if (!(await options.store.setAside(lane, claimEpoch, asides))) return null;
  const aside = rows.filter(({ id }) => !known.has(id)).length;
  if (tear.landed + aside > 0) options.onEvent({ kind: 'commit-torn', lane, landed: tear.landed, aside });
  return Math.max(marker, tear.upTo);
}

/** The partition that cannot be asked and that a row belongs to. */
function unknownTarget(
  { kafka }: SenderOptions,
  unknown: readonly Doubt[],
  { topic, key, id }: Pick<OutboxRow, 'topic' | 'key' | 'id'>,
): string | null {
  for (const { waitsFor } of unknown) {
    const { topic: other, partition, partitions } = targetOf(waitsFor);
    if (other !== topic || partitions === null) continue;
    if (kafka.pickPartition(key, id, partitions) === partition) return waitsFor;
  }
  return null;
}

/**
 * Attempts of rows set aside are torn too: a record without its token would be sent again, a token without its record would
 * pass for a delivery. Without its token no attempt is open. A row whose partition cannot be asked waits for it, in doubt where
 * its token has arrived.
 */
async function mendAttempts(
  options: SenderOptions,
  { lane, claimEpoch }: TornLane['claim'],
  attempts: readonly OpenAttempt[],
  { committed, aborted, unknown }: Landed,
  token: number | undefined,
): Promise<boolean> {
  const { store, onEvent } = options;
  const arrived = attempts.filter(({ id }) => committed.has(id)).map(({ id }) => id);
  const missing = attempts.filter(({ id }) => !committed.has(id) && aborted.has(id)).map(({ id }) => id);
  const doubted: number[] = [];
  const told = new Set([...arrived, ...missing]);
  for (const attempt of attempts) {
    const waitsFor = told.has(attempt.id) ? null : unknownTarget(options, unknown, attempt);
    if (waitsFor === null) continue;
    const to = { waitsFor, error: UNKNOWN };
    if (!(await store.moveAside(lane, claimEpoch, [attempt.id], to))) return false;
    if (attempt.token === token) doubted.push(attempt.id);
    else missing.push(attempt.id);
  }
  if (arrived.length + missing.length + doubted.length === 0) return true;
  // The doubts go first: a row in doubt without one would never be told.
  if (doubted.length > 0 && !(await store.setAside(lane, claimEpoch, [], unknown))) return false;
  if (!(await store.settleAttempts(lane, claimEpoch, { arrived, missing, unknown: doubted }))) return false;
  for (const id of arrived) onEvent({ kind: 'row-recovered', lane, id });
  return true;
}

/**
 * Partitions that cannot be asked: what the producers may have sent to them is written down, to be asked for before the next row
 * goes there, and the rows that may be missing there wait aside. The marker passes them, and the other rows of the lane go on.
 */
async function deferDoubted(options: SenderOptions, torn: TornLane, unknown: readonly Doubt[]): Promise<boolean> {
  if (unknown.length === 0) return true;
  if (unknown.length > DOUBTS_MAX) {
    throw new RelayError('KAFKA_UNREACHABLE', `${unknown.length} partitions cannot be asked what arrived in them`);
  }
  const { store, limits } = options;
  const { claim, marker, settled } = torn;
  if (!(await store.setAside(claim.lane, claim.claimEpoch, [], unknown))) return false;
  // Each round moves the cursor by a row at least, up to the marker.
  for (let cursor = settled; cursor < marker; ) {
    const [batch] = await store.readBatches([{ lane: claim.lane, cursor, rowsMax: limits.rowsMax }], limits);
    const rows = (batch?.rows ?? []).filter(({ id }) => id <= marker);
    const doubted = rows.flatMap((row): AsideEntry[] => {
      const waitsFor = unknownTarget(options, unknown, row);
      if (waitsFor === null) return [];
      return [{ row, state: 'waiting', waitsFor, inDoubt: true, error: UNKNOWN, dueInMs: 0 }];
    });
    if (doubted.length > 0 && !(await store.setAside(claim.lane, claim.claimEpoch, doubted))) return false;
    cursor = rows.at(-1)?.id ?? marker;
  }
  return true;
}

interface Tear {
  /** The ids between which rows may not have arrived: after < id <= upTo. */
  readonly after: number;
  readonly upTo: number;
  readonly marker: number;
  /** Rows above the marker that arrived. */
  readonly landed: number;
}

function tearOf({ committed, aborted }: Landed, lane: number, marker: number): Tear | null {
  let after = marker;
  let upTo = laneFloor(lane);
  let landed = 0;
  for (const id of aborted) {
    if (laneOf(id) !== lane || id > marker) continue;
    after = Math.min(after, id - 1);
    upTo = Math.max(upTo, id);
  }
  for (const id of committed) {
    if (laneOf(id) !== lane || id <= marker) continue;
    upTo = Math.max(upTo, id);
    landed += 1;
  }
  return upTo === laneFloor(lane) ? null : { after, upTo, marker, landed };
}

/**
 * Rows of the tear that readers do not see. A row that is gone from the outbox was settled otherwise, before: given up after it
 * was refused, for example.
 */
async function notArrived(
  { store, limits }: SenderOptions,
  lane: number,
  { after, upTo, marker }: Tear,
  { committed, aborted }: Landed,
): Promise<OutboxRow[]> {
  const found: OutboxRow[] = [];
  // Each round moves the cursor by a row at least, up to the end of the tear.
  for (let cursor = after; cursor < upTo; ) {
    const [batch] = await store.readBatches([{ lane, cursor, rowsMax: limits.rowsMax }], limits);
    const rows = (batch?.rows ?? []).filter(({ id }) => id <= upTo);
    for (const row of rows) {
      if (row.id <= marker ? aborted.has(row.id) : !committed.has(row.id)) found.push(row);
    }
    cursor = rows.at(-1)?.id ?? upTo;
  }
  return found;
}
