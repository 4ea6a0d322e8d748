/**
 * Puts right what a broker tore apart. Kafka 4.1 to 4.3.1, stopped under load, may end a committed transaction in some of its
 * partitions only (KAFKA-20734): some rows are in Kafka and the lane's marker does not know, others are not and the marker
 * says that they are. Both are written down before anything else happens to the lane: rows that did not arrive go aside, from
 * where they are sent once each in the order of their keys, and the marker passes those that did.
 */
import { RelayError } from '#runtime';
import { laneFloor, laneOf } from './lane.ts';
import type { AsideHead, Landed, LaneClaim, OutboxRow, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { untilSettled } from './until-settled.ts';

const NO_TOKEN = 0;

/** A lane whose former producers are fenced, with its marker as Kafka has it now. */
export interface TornLane {
  readonly claim: Pick<LaneClaim, 'lane' | 'claimEpoch'>;
  readonly marker: number;
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
  if (landed.committed.size + landed.aborted.size === 0) return { unknown: false, markers, lost };
  const heads = await options.store.listAsideHeads(numbers, options.parkedKeysMax * numbers.length + 1);
  for (const { claim, marker } of lanes) {
    const theirs = heads.filter(({ lane }) => lane === claim.lane);
    await mendAttempts(options, claim, theirs, landed);
    const tear = tearOf(landed, claim.lane, marker);
    if (tear === null) continue;
    const rows = await notArrived(options, claim.lane, tear, landed);
    if (rows.length === 0 && tear.upTo <= marker) continue;
    const asides = rows.map(
      (row) => ({ row, state: 'parked', error: 'its transaction was torn', dueInMs: 0 }) as const,
    );
    // Also without a row: it is the look whether the claim still stands.
    if (!(await options.store.setAside(claim.lane, claim.claimEpoch, asides))) {
      lost.add(claim.lane);
      continue;
    }
    if (tear.upTo > marker) markers.set(claim.lane, tear.upTo);
    const known = new Set(theirs.map(({ id }) => id));
    const aside = rows.filter(({ id }) => !known.has(id)).length;
    if (tear.landed + aside > 0) options.onEvent({ kind: 'commit-torn', lane: claim.lane, landed: tear.landed, aside });
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

/**
 * Attempts of rows set aside are torn too: a record without its token would be sent again, a token without its record would
 * pass for a delivery. Without its token no attempt is open.
 */
async function mendAttempts(
  { store, onEvent }: SenderOptions,
  { lane, claimEpoch }: TornLane['claim'],
  heads: readonly AsideHead[],
  { committed, aborted }: Landed,
): Promise<void> {
  for (const { id, attemptToken } of heads) {
    if (attemptToken === NO_TOKEN) continue;
    if (committed.has(id)) {
      await store.removeAside(id);
      onEvent({ kind: 'row-recovered', lane, id });
    } else if (aborted.has(id)) await store.beginAttempt(lane, claimEpoch, id, NO_TOKEN);
  }
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
