/** Which row set aside is tried next among the lanes held, and when what is aside must be read again. */
import type { HeldLanes } from './held-lanes.ts';
import { changing, expectWaiting, keyText, type LaneHold } from './lane-hold.ts';
import { type Detour, parkedBehindKey, toHeadRecord } from './plan-transaction.ts';
import type { AsideEntry, AsideHead, ProducerSession } from './ports.ts';
import { type AttemptOutcome, attemptHead, dueHeads, nextHeadDueInMs, refuseUnsent } from './retry-aside.ts';
import type { Routes } from './routes.ts';
import type { SenderOptions } from './sender-options.ts';
import type { TopicNotes } from './sent-topics.ts';
import { loadAside } from './take-lanes.ts';
import type { WaitingRounds } from './waiting-rounds.ts';

/** What is aside is looked at again this often, in case an operator changed it; where nothing was, less often. */
const ASIDE_LOOK_MS = { some: 5_000, none: 30_000 };

/** Due rows of a lane that are judged together. */
const DUE_ROWS_MAX = 1_000;

export interface DueAttempt {
  readonly hold: LaneHold;
  readonly head: AsideHead;
}

export class AsideRounds {
  readonly #options: SenderOptions;
  readonly #lanes: HeldLanes;
  readonly #notes: TopicNotes;
  readonly #routes: Routes;
  readonly #waiting: WaitingRounds;
  #round = 0;

  constructor(options: SenderOptions, lanes: HeldLanes, notes: TopicNotes, routes: Routes, waiting: WaitingRounds) {
    this.#options = options;
    this.#lanes = lanes;
    this.#notes = notes;
    this.#routes = routes;
    this.#waiting = waiting;
  }

  /** Reads what is aside anew where that is due, and halts lanes in which too much waits: the others may deliver then. */
  async refresh(session: ProducerSession): Promise<void> {
    const holds = [...this.#lanes.holds.values()];
    const open = holds.filter((hold) => hold.isChanging);
    // Delivering would not wait for it: a row sent now, for which there is no reason to wait any more, would go aside afterwards.
    if (open.length > 0) await this.#lanes.prove(open);
    const stale = holds.filter((hold) => this.#lanes.holds.has(hold.lane) && this.#isStale(hold));
    if (stale.length > 0) await loadAside(this.#options, session, stale);
    const { parkedKeysMax } = this.#options;
    for (const hold of holds) {
      if (hold.parked.size + hold.asideIds.size <= parkedKeysMax || !this.#lanes.holds.has(hold.lane)) continue;
      await this.#lanes.halt(hold, `more than ${parkedKeysMax} keys and rows without a key wait for refused rows`);
    }
  }

  /** Sets rows aside whose key or target waits. False: the lane is not ours any more, and nothing changed. */
  async setAside(hold: LaneHold, detours: readonly Detour[]): Promise<boolean> {
    const queues = Map.groupBy(detours, ({ waitsFor }) => waitsFor);
    for (const [waitsFor, rows] of queues) {
      // Before they are there: their fate may stay unknown, and no row may go past them.
      if (waitsFor !== null) expectWaiting(hold, waitsFor, rows.map(({ row }) => row)); // biome-ignore format: one line
    }
    const entries = detours.map(({ row, waitsFor }): AsideEntry => {
      if (waitsFor === null) return parkedBehindKey(row);
      return { row, state: 'waiting', error: this.#waiting.errorOf(waitsFor), dueInMs: 0, waitsFor };
    });
    const { store } = this.#options;
    if (!(await changing(hold, () => store.setAside(hold.lane, hold.claimEpoch, entries)))) return false;
    // A row whose commit was lost comes again, and goes before the one that its key was waiting for.
    const leads = ({ row: { key, id } }: Detour) => key !== null && id < (hold.parked.get(keyText(key))?.id ?? 0);
    if (detours.some(leads)) hold.asideReadAtMs = null;
    for (const [waitsFor, rows] of queues) {
      if (waitsFor === null) continue;
      this.#options.onEvent({ kind: 'rows-waiting', lane: hold.lane, waitsFor, rows: rows.length });
    }
    return true;
  }

  /**
   * The row to try now, or null; lanes in turn, so that none of them waits for another's. `unsent`: rows that came due are still
   * too large, which counts as their attempts.
   */
  async nextDue(session: ProducerSession): Promise<DueAttempt | 'unsent' | null> {
    const holds = [...this.#lanes.holds.values()];
    this.#round += 1;
    let unsent = 0;
    for (let at = 0; at < holds.length; at += 1) {
      const hold = holds[(at + this.#round) % holds.length] as LaneHold;
      const due = await this.#dueHeads(hold);
      const misfits = due.length === 0 ? 0 : await this.#refuseMisfits(session, hold, due);
      unsent += misfits;
      const [head] = due;
      if (head !== undefined && misfits === 0) return { hold, head };
    }
    return unsent > 0 ? 'unsent' : null;
  }

  /** Rows whose target takes nothing wait for it from now on, instead of holding up their keys. */
  async #dueHeads(hold: LaneHold): Promise<readonly AsideHead[]> {
    const heldUp: AsideHead[] = [];
    const isHeldUp = (head: AsideHead) => {
      const route = this.#routes.of(hold, head);
      // One that was refused waits for the queue where it is: it keeps its own pace, and its attempts count.
      if (typeof route !== 'string' && (head.attempts === 0 || this.#routes.isBlocked(head))) heldUp.push(head);
      return route !== 'send';
    };
    const due = dueHeads(hold, this.#options, isHeldUp).slice(0, DUE_ROWS_MAX);
    if (heldUp.length === 0 || (await this.#waiting.deferRows(hold, heldUp))) return due;
    this.#lanes.lose(hold);
    return [];
  }

  /** By what is known of their sizes without their payloads. How many they were. */
  async #refuseMisfits(session: ProducerSession, hold: LaneHold, due: readonly AsideHead[]): Promise<number> {
    if (session.misfits === undefined) return 0;
    const records = new Map(due.map((head) => [toHeadRecord(head, hold), head]));
    const misfits = await session.misfits([...records.keys()]);
    for (const why of new Set(misfits.values())) {
      const heads = [...records].filter(([record]) => misfits.get(record) === why).map(([, head]) => head);
      if (!(await refuseUnsent(this.#options, hold, heads, why))) this.#lanes.lose(hold);
    }
    return misfits.size;
  }

  /**
   * One attempt. `delivered`, `unsent`: the session is sound. `refused`: it is dead. `lost`: the lane was taken from us or the row
   * from under us; a fresh session finds out which. A rejection leaves the outcome to be settled under a fresh session.
   */
  async attempt(session: ProducerSession, { hold, head }: DueAttempt): Promise<AttemptOutcome> {
    hold.asideReadAtMs = null;
    await this.#notes.note([head.topic]);
    return attemptHead(this.#options, session, hold, head);
  }

  /** Somebody says that something is due: read it anew. */
  forget(lanes: readonly number[]): void {
    for (const lane of lanes) {
      const hold = this.#lanes.holds.get(lane);
      if (hold !== undefined) hold.asideReadAtMs = null;
    }
  }

  /** The longest this sender may rest, given what comes due. */
  restAtMost(ms: number): number {
    let restMs = ms;
    for (const hold of this.#lanes.holds.values()) {
      const isHeldUp = (head: AsideHead) => this.#routes.of(hold, head) !== 'send';
      restMs = Math.min(restMs, nextHeadDueInMs(hold, this.#options, isHeldUp) ?? restMs);
    }
    return Math.max(1, Math.min(restMs, this.#waiting.dueInMs() ?? restMs));
  }

  #isStale(hold: LaneHold): boolean {
    if (hold.asideReadAtMs === null) return true;
    const lookMs = hold.parked.size + hold.asideIds.size > 0 ? ASIDE_LOOK_MS.some : ASIDE_LOOK_MS.none;
    return this.#options.clock.nowMs() - hold.asideReadAtMs > lookMs;
  }
}
