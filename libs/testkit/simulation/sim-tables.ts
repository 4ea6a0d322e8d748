/** The relay's tables under watch: every effect on them is judged at the moment it happens. */
import {
  LANE_MOVES,
  type LaneMove,
  type LanePhase,
  laneOf,
  newLanePhase,
  type OutboxRow,
  type WatermarkState,
} from '#outbox';
import type { Clock } from '#runtime';
import { type FakeLane, FakeOutboxTables } from '../fakes/store-tables.ts';
import type { SimKafka } from './sim-kafka.ts';
import { Violation } from './violation.ts';

export const ANY_CLAIM = -1;

const MOVE_OF_CALL: Readonly<Record<string, LaneMove>> = {
  'store.claimLane:answered': 'claim',
  'store.clearFences:answered': 'clear-fences',
  'store.renewLeases:answered': 'renew',
  'store.recordMarkerWritten:answered': 'record-marker',
  'store.deleteDelivered:answered': 'delete-delivered',
  'store.releaseLane:answered': 'release',
  'store.haltLane:answered': 'halt',
};

class WatchedMap<K, V> extends Map<K, V> {
  onSet: ((key: K, before: V | undefined, after: V) => void) | null = null;
  onDelete: ((key: K) => void) | null = null;

  override set(key: K, value: V): this {
    this.onSet?.(key, this.get(key), value);
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.onDelete?.(key);
    return super.delete(key);
  }
}

export class SimTables extends FakeOutboxTables {
  override readonly outbox = new WatchedMap<number, OutboxRow>();
  override readonly lanes = new WatchedMap<number, FakeLane>();
  override readonly watermarks = new WatchedMap<string, WatermarkState>();
  /** Event ids ever appended, with the id they got. */
  readonly appended = new Map<string, number>();
  readonly #highest = new Map<number, number>();
  readonly #owners = new Map<string, string>();
  #changed: WatermarkState | null = null;
  readonly #phases = new Map<number, LanePhase>();
  #changedLanes: number[] = [];

  constructor(
    clock: Clock,
    kafka: SimKafka,
    hooks: {
      readonly report: (violation: Violation) => void;
      readonly onRegistered: (source: string) => void;
      readonly transactional: boolean;
    },
  ) {
    super(clock);
    const onRowSet: typeof this.outbox.onSet = (id, before, row) => {
      const lane = laneOf(id);
      const highest = this.#highest.get(lane) ?? 0;
      if (before !== undefined || id <= highest) {
        hooks.report(new Violation('I3', `id ${id} of lane ${lane} becomes visible after ${highest}`));
      }
      if (this.appended.has(row.eventId)) hooks.report(new Violation('I1', `${row.eventId} is moved a second time`));
      this.appended.set(row.eventId, id);
      this.#highest.set(lane, Math.max(id, highest));
    };
    const onRowDelete: typeof this.outbox.onDelete = (id) => {
      const eventId = this.outbox.get(id)?.eventId ?? '';
      const safe = kafka.delivered.has(eventId) || this.aside.has(id);
      if (!safe) hooks.report(new Violation('I6', `row ${id} is deleted and neither delivered nor aside`));
      const marker = kafka.settledMarker(laneOf(id));
      if (hooks.transactional && id > marker)
        hooks.report(new Violation('I6', `row ${id} is deleted, the lane's marker is ${marker}`));
    };
    const onLaneSet: typeof this.lanes.onSet = (lane, before, after) => {
      if (before === undefined) this.#phases.set(lane, newLanePhase(after.state));
      else this.#changedLanes.push(lane);
      if (before === undefined || after.claimEpoch === before.claimEpoch) return;
      if (before.holder !== null && !this.leaseExpired(before)) {
        hooks.report(
          new Violation('lease', `${after.holder} takes lane ${lane}, which ${before.holder} holds by a running lease`),
        );
      }
    };
    const onWatermarkSet: typeof this.watermarks.onSet = (source, before, after) => {
      if (before === undefined) hooks.onRegistered(source);
      this.#changed = after;
    };
    // By name: a function written straight into a property is taken for long-lived by the engine, and its world with it.
    this.outbox.onSet = onRowSet;
    this.outbox.onDelete = onRowDelete;
    this.lanes.onSet = onLaneSet;
    this.watermarks.onSet = onWatermarkSet;
  }

  /** With `ANY_CLAIM` every claim is good enough: for mutations that leave the proof out. */
  override claimed(lane: number, claimEpoch: number): FakeLane | null {
    if (claimEpoch !== ANY_CLAIM) return super.claimed(lane, claimEpoch);
    return this.lanes.get(lane) ?? null;
  }

  /** Called by the gate right after a store call's effect, in the same instant: whose effect was it? */
  attribute(call: string, process: string, report: (violation: Violation) => void): void {
    this.#moveLanes(call, process, report);
    const changed = this.#changed;
    this.#changed = null;
    if (changed === null) return;
    const term = `${changed.source}/${changed.epoch}`;
    if (call === 'store.beginTerm:answered') this.#owners.set(term, process);
    if (call !== 'store.append:answered') return;
    const owner = this.#owners.get(term);
    if (owner !== process) report(new Violation('I2', `${process} commits in the term ${term} of ${owner}`));
  }

  #moveLanes(call: string, process: string, report: (violation: Violation) => void): void {
    if (this.#changedLanes.length === 0) return;
    const move = MOVE_OF_CALL[call];
    for (const lane of this.#changedLanes.splice(0)) {
      if (move === undefined) continue;
      const phase = this.#phases.get(lane) ?? 'free';
      const next = LANE_MOVES[phase][move];
      if (next === 'illegal') report(new Violation('I8', `${process} does ${move} on lane ${lane}, which is ${phase}`));
      else this.#phases.set(lane, next);
    }
  }
}
