/**
 * Taking lanes over, in the only safe order: claim, fence, forget the fences, read the marker, and only then deliver.
 * With the marker read before the fence a paused sender's transaction can commit in between, and rows double.
 */
import { crashPoint, RelayError } from '#runtime';
import { laneEnd, laneFloor } from './lane.ts';
import { adoptAsideHeads, adoptQueues, changing, type LaneHold, newHold } from './lane-hold.ts';
import { mendTorn } from './mend-torn.ts';
import type { AsideHead, LaneClaim, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { sentTopics } from './sent-topics.ts';
import { untilSettled } from './until-settled.ts';
import { type MarkerVerdict, verifyMarkers } from './verify-markers.ts';

/**
 * Claims up to `wanted` of the lanes and adds them to `claims`, in chance order so that senders that start together do not
 * collide. What was claimed before a fault stays in `claims`: forgotten, it would be served by nobody until its lease ran out.
 */
export async function claimLanes(
  options: SenderOptions,
  lanes: readonly number[],
  wanted: number,
  claims: LaneClaim[],
): Promise<void> {
  const order = [...lanes].map((lane) => ({ lane, at: options.random() })).sort((a, b) => a.at - b.at);
  for (const { lane } of order) {
    if (claims.length >= wanted) break;
    const claim = await options.store.claimLane(lane, options.transactionalId, options.leaseMs);
    crashPoint('sender-after-claim');
    if (claim !== null) claims.push(claim);
  }
}

/**
 * Fences whoever held the claimed lanes and reads their markers. The caller has fenced its own id already (by a fresh
 * session) when a claim names it. Returns the holds ready to deliver; a lane lost or halted on the way is left out.
 */
export async function takeClaimedLanes(
  options: SenderOptions,
  session: ProducerSession,
  claims: readonly LaneClaim[],
): Promise<LaneHold[]> {
  const { kafka, store, transactionalId } = options;
  const others = new Set(claims.flatMap((claim) => claim.fenceIds).filter((id) => id !== transactionalId));
  await Promise.all([...others].map((id) => kafka.fence(id, sentTopics(store))));
  crashPoint('sender-after-fence');
  if (session.transactional) await mendFenced(options, session, claims);
  const ours: LaneClaim[] = [];
  for (const claim of claims) {
    // Also with nothing to fence: a claim kept over a lost session may have been taken by somebody who fenced only that
    // session, and the one we have now would deliver beside the new holder.
    if (await store.clearFences(claim.lane, claim.claimEpoch)) ours.push(claim);
    else options.onEvent({ kind: 'lane-lost', lane: claim.lane });
  }
  if (ours.length === 0) return [];
  const holds = session.transactional
    ? await holdsByMarker(options, session, ours)
    : ours.map((claim) => newHold(claim, claim.deliveredId ?? laneFloor(claim.lane)));
  await loadAside(options, session, holds, 'queues');
  for (const hold of holds) {
    const claim = ours.find(({ lane }) => lane === hold.lane);
    options.onEvent({
      kind: 'lane-taken',
      lane: hold.lane,
      from: claim?.formerHolder ?? null,
      fenced: claim?.fenceIds ?? [],
      marker: hold.marker,
    });
  }
  return holds;
}

/**
 * What the former holders' last transactions left torn is mended while they are still written down as to be fenced: whoever
 * takes the lane after a death in here looks again. Where Kafka does not let us look, the marker is what we know, and there
 * is nothing that speaks against it. Markers that should not be are left for the verdict on them.
 */
async function mendFenced(
  options: SenderOptions,
  session: ProducerSession,
  claims: readonly LaneClaim[],
): Promise<void> {
  const fenced = claims.filter(({ fenceIds, deliveredId }) => fenceIds.length > 0 && deliveredId !== null);
  if (fenced.length === 0) return;
  const markers = await options.kafka.readMarkers(
    'lane',
    fenced.map(({ lane }) => lane),
  );
  const lanes = fenced
    .map((claim) => ({
      claim,
      marker: markers.get(claim.lane) ?? -1,
      settled: claim.deliveredId ?? laneFloor(claim.lane),
    }))
    .filter(({ claim, marker }) => marker >= (claim.deliveredId ?? 0) && marker < laneEnd(claim.lane));
  await mendTorn(options, session, [...new Set(fenced.flatMap(({ fenceIds }) => fenceIds))], lanes);
}

async function holdsByMarker(
  options: SenderOptions,
  session: ProducerSession,
  claims: readonly LaneClaim[],
): Promise<LaneHold[]> {
  const expected = claims.map(({ lane, deliveredId }) => ({
    lane,
    deliveredId,
    committedId: laneFloor(lane),
  }));
  const verdicts = await verifyMarkers(options, expected, options.markerSettleMs);
  crashPoint('sender-after-markers');
  await writeFirstMarkers(options, session, claims, verdicts);
  const holds: LaneHold[] = [];
  for (const claim of claims) {
    const verdict = verdicts.get(claim.lane);
    if (verdict === undefined) continue;
    if (verdict.kind === 'halt') {
      const halted = await options.store.haltLane(claim.lane, claim.claimEpoch, verdict.why);
      options.onEvent(
        halted ? { kind: 'lane-halted', lane: claim.lane, why: verdict.why } : { kind: 'lane-lost', lane: claim.lane },
      );
      continue;
    }
    const floor = laneFloor(claim.lane);
    const known =
      claim.deliveredId !== null || (await options.store.recordMarkerWritten(claim.lane, claim.claimEpoch, floor));
    if (known) holds.push(newHold(claim, verdict.kind === 'first' ? floor : verdict.marker));
  }
  return holds;
}

/**
 * The first marker goes to Kafka, and is there to stay, before the database says that there is one: from then on a missing
 * one halts the lane. Rejects with KAFKA_OUTCOME_UNKNOWN when it does not settle: a fresh session finds out.
 */
async function writeFirstMarkers(
  options: SenderOptions,
  session: ProducerSession,
  claims: readonly LaneClaim[],
  verdicts: ReadonlyMap<number, MarkerVerdict>,
): Promise<void> {
  const first = claims.filter(({ lane }) => verdicts.get(lane)?.kind === 'first').map(({ lane }) => lane);
  const markers = first.map((lane) => ({ kind: 'lane' as const, lane, value: laneFloor(lane) }));
  if (first.length > 0) await session.transact([], markers);
  const unknown = claims.filter(({ lane, deliveredId }) => deliveredId === null && verdicts.get(lane)?.kind !== 'halt');
  const wanted = new Map(unknown.map(({ lane }) => [lane, laneFloor(lane)]));
  if (await untilSettled(options, 'lane', wanted)) return;
  throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'the first marker was acknowledged and does not settle');
}

/**
 * Reads the rows set aside of these lanes, and settles attempts whose outcome only Kafka knows. At-least-once sessions keep no
 * tokens in Kafka: there an attempt whose outcome is unknown is made again. `queues`: also what waits for targets, which takes
 * counting, and which only the holder changes.
 */
export async function loadAside(
  options: SenderOptions,
  session: ProducerSession,
  holds: readonly LaneHold[],
  what: 'heads' | 'queues' = 'heads',
): Promise<void> {
  if (holds.length === 0) return;
  const { store } = options;
  const lanes = holds.map(({ lane }) => lane);
  if (session.transactional) await settleOpen(options, holds, lanes);
  const heads = await listHeads(options, lanes);
  for (const hold of holds) adoptAsideHeads(hold, heads, options.clock.nowMs());
  if (what === 'heads') return;
  const doubts = await store.listDoubts(lanes);
  const queues = await store.listQueues(lanes);
  for (const hold of holds) adoptQueues(hold, queues, doubts.get(hold.lane) ?? []);
}

async function settleOpen(options: SenderOptions, holds: readonly LaneHold[], lanes: readonly number[]): Promise<void> {
  const { store, kafka } = options;
  const attempts = await store.listAttempts(lanes);
  if (attempts.length === 0) return;
  const tokens = await kafka.readMarkers('retry', lanes);
  for (const hold of holds) {
    const theirs = attempts.filter(({ lane }) => lane === hold.lane);
    if (theirs.length === 0) continue;
    hold.tokenFloor = Math.max(hold.tokenFloor, ...theirs.map(({ token }) => token));
    const arrived = theirs.filter(({ token }) => token === tokens.get(hold.lane)).map(({ id }) => id);
    const missing = theirs.map(({ id }) => id).filter((id) => !arrived.includes(id));
    const verdicts = { arrived, missing };
    if (!(await changing(hold, () => store.settleAttempts(hold.lane, hold.claimEpoch, verdicts)))) continue;
    for (const id of arrived) options.onEvent({ kind: 'row-recovered', lane: hold.lane, id });
  }
}

/**
 * Every head of every lane, or one more than a lane may have, which halts it. A list cut anywhere else would hide a key that
 * waits, and its later rows would overtake it.
 */
async function listHeads({ store, parkedKeysMax }: SenderOptions, lanes: readonly number[]): Promise<AsideHead[]> {
  const headsMax = parkedKeysMax * lanes.length;
  const heads = await store.listAsideHeads(lanes, headsMax + 1);
  if (heads.length <= headsMax || lanes.length === 1) return [...heads];
  const perLane: AsideHead[] = [];
  for (const lane of lanes) perLane.push(...(await store.listAsideHeads([lane], parkedKeysMax + 1)));
  return perLane;
}
