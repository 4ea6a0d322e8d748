/**
 * The lanes a sender holds: taking, verifying, giving back, losing and halting them. One loop calls this between two
 * transactions; the background look (`LaneMembership`) only observes.
 */
import { laneFloor } from './lane.ts';
import type { LaneHold } from './lane-hold.ts';
import { claimable, LaneMembership, shareOf } from './lane-membership.ts';
import { mendTorn, type TornLane } from './mend-torn.ts';
import type { LaneClaim, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { claimLanes, loadAside, takeClaimedLanes } from './take-lanes.ts';
import { settle, trimLane } from './trim-lanes.ts';
import { verifyMarkers } from './verify-markers.ts';

/** Trimming before a lane is given back is kept short: its next holder trims from the lane's start anyway. */
const RELEASE_RANGES_MAX = 2;
const SETTLE_MS_MAX = 1_000;
const SETTLE_PAUSE_MS = 10;

/** Sent again as a whole, what arrived of it would come twice; the operator may know better. */
const LOST_UNSEEN =
  'Kafka lost a commit that it had acknowledged, and does not let us read which of its rows arrived: grant READ on the topics';

export class HeldLanes {
  readonly holds = new Map<number, LaneHold>();
  readonly membership: LaneMembership;
  readonly #options: SenderOptions;
  /** Claimed, not yet fenced and verified; survives faults on the way. */
  #taking: LaneClaim[] = [];

  constructor(options: SenderOptions, onChange: () => void) {
    this.#options = options;
    this.membership = new LaneMembership(options, this.holds, onChange);
  }

  /** All lanes held or claimed go on under another id of ours, of which a session is open: nothing was delivered with it. */
  async rename(holder: string): Promise<void> {
    const { store, onEvent } = this.#options;
    for (const hold of [...this.holds.values()]) {
      if (!(await store.renameHolder(hold.lane, hold.claimEpoch, holder))) this.lose(hold);
    }
    const kept: LaneClaim[] = [];
    for (const claim of this.#taking) {
      if (await store.renameHolder(claim.lane, claim.claimEpoch, holder)) kept.push(claim);
      else onEvent({ kind: 'lane-lost', lane: claim.lane });
    }
    this.#taking = kept;
  }

  /** After InitProducerId: which lanes are still ours, and what of the last transaction arrived? */
  async verify(session: ProducerSession, producers: readonly string[]): Promise<void> {
    const claims = [...this.holds.values()];
    if (claims.length === 0) return;
    await this.prove(claims);
    if (session.transactional) await this.#verifyMarkers(session, producers);
    await loadAside(this.#options, session, [...this.holds.values()], 'queues');
  }

  /** Which of them are still ours? The lanes' rows are locked until whatever of ours is under way in them is over. */
  async prove(holds: readonly LaneHold[]): Promise<void> {
    const kept = new Set(await this.#options.store.renewLeases(holds, this.#options.leaseMs));
    for (const hold of holds) {
      if (!kept.has(hold.lane)) this.lose(hold);
      else if (hold.isChanging) {
        hold.isChanging = false;
        hold.asideReadAtMs = null;
      }
    }
  }

  async #verifyMarkers(session: ProducerSession, producers: readonly string[]): Promise<void> {
    const expected = [...this.holds.values()].map(({ lane, marker, settled }) => ({
      lane,
      deliveredId: settled,
      committedId: marker,
    }));
    const verdicts = await verifyMarkers(this.#options, expected, this.#options.markerSettleMs);
    const found: TornLane[] & { readonly claim: LaneHold }[] = [];
    for (const [lane, verdict] of verdicts) {
      const hold = this.holds.get(lane);
      if (hold === undefined) continue;
      if (verdict.kind === 'ready')
        found.push({ claim: hold, marker: verdict.marker, settled: Math.min(hold.settled, verdict.marker) });
      else await this.halt(hold, verdict.kind === 'halt' ? verdict.why : 'the marker is gone from Kafka');
    }
    const mended = await mendTorn(this.#options, session, producers, found);
    for (const { claim: hold, marker } of found) {
      if (mended.lost.has(hold.lane)) this.lose(hold);
      else if (mended.unknown && marker < hold.marker) await this.halt(hold, LOST_UNSEEN);
      else this.#adopt(hold, marker, mended.markers.get(hold.lane) ?? marker);
    }
  }

  /** Nothing that was lost is deleted yet, and nothing of it can appear any more: it is delivered again. */
  #adopt(hold: LaneHold, found: number, marker: number): void {
    if (found < hold.marker) {
      const { lane, marker: committed } = hold;
      this.#options.onEvent({ kind: 'commit-lost', lane, committed, found });
    }
    hold.marker = marker;
    hold.settled = found;
    hold.unsettledSinceMs = null;
    // What stands beside a marker tells for the lanes of its session only: this one writes all of them anew.
    hold.markerWrittenAtMs = null;
  }

  /**
   * Acts on what the background look found: drops lost lanes, gives surplus back, takes free ones up to the fair share.
   * `refence` opens a new session of our own id, which is the fence when a claim names that id.
   */
  async apply(session: ProducerSession, refence: () => Promise<ProducerSession>): Promise<void> {
    for (const [lane, claimEpoch] of this.membership.takeLost()) {
      const hold = this.holds.get(lane);
      if (hold !== undefined && hold.claimEpoch === claimEpoch) this.lose(hold);
    }
    if (this.#taking.length > 0) return this.#finishTaking(session, refence);
    const view = this.membership.takeView();
    if (view === null) return;
    const share = shareOf(view, this.#options.transactionalId);
    if (this.holds.size > share) await this.#giveBack(this.holds.size - share);
    if (this.holds.size >= share) return;
    await claimLanes(this.#options, claimable(view, this.holds), share - this.holds.size, this.#taking);
    if (this.#taking.length > 0) await this.#finishTaking(session, refence);
  }

  async #finishTaking(session: ProducerSession, refence: () => Promise<ProducerSession>): Promise<void> {
    const own = this.#taking.some((claim) => claim.fenceIds.includes(this.#options.transactionalId));
    const holds = await takeClaimedLanes(this.#options, own ? await refence() : session, this.#taking);
    this.#taking = [];
    for (const hold of holds) this.holds.set(hold.lane, hold);
    this.membership.hurry();
  }

  async #giveBack(count: number): Promise<void> {
    await this.#releaseAtOnce([...this.holds.values()].slice(-count));
    this.#options.doorbell.ring({ kind: 'lanes-changed' });
  }

  /** Also the lanes claimed and not yet taken: nothing of ours ever ran in them, and whom they fence stays written down. */
  async releaseAll(): Promise<void> {
    for (const { lane, claimEpoch, deliveredId } of this.#taking.splice(0)) {
      await this.#options.store.releaseLane(lane, claimEpoch, deliveredId ?? laneFloor(lane));
    }
    await this.#releaseAtOnce([...this.holds.values()]);
  }

  /** Side by side, so that whoever takes them does not wait for the last; one that fails keeps its lease and is fenced later. */
  async #releaseAtOnce(holds: readonly LaneHold[]): Promise<void> {
    await this.#settle(holds);
    const outcomes = await Promise.allSettled(holds.map((hold) => this.#release(hold)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** The markers of the last transaction take a moment to be written. */
  async #settle(holds: readonly LaneHold[]): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.nowMs() + SETTLE_MS_MAX;
    for (;;) {
      // Between two transactions the session stands.
      await settle(this.#options, holds, () => 0);
      if (holds.every(({ marker, settled }) => settled >= marker) || clock.nowMs() >= deadlineMs) return;
      await clock.sleep(SETTLE_PAUSE_MS);
    }
  }

  /**
   * Clean: called between two transactions only, when nothing of the lane can be in flight. Without a settled marker it is
   * not: the lease is left to run out, and the next holder fences us.
   */
  async #release(hold: LaneHold): Promise<void> {
    this.holds.delete(hold.lane);
    await trimLane(this.#options, hold, RELEASE_RANGES_MAX);
    if (hold.settled < hold.marker) return;
    if (await this.#options.store.releaseLane(hold.lane, hold.claimEpoch, hold.marker)) {
      this.#options.onEvent({
        kind: 'lane-released',
        lane: hold.lane,
        marker: hold.marker,
      });
    }
  }

  /** The claim is somebody else's now: nothing more is done for the lane. */
  lose(hold: LaneHold): void {
    this.holds.delete(hold.lane);
    this.#options.onEvent({ kind: 'lane-lost', lane: hold.lane });
  }

  async halt(hold: LaneHold, why: string): Promise<void> {
    if (!(await this.#options.store.haltLane(hold.lane, hold.claimEpoch, why))) return this.lose(hold);
    this.holds.delete(hold.lane);
    this.#options.onEvent({ kind: 'lane-halted', lane: hold.lane, why });
  }
}
