/** Which row set aside is tried next among the lanes held, and when what is aside must be read again. */
import type { HeldLanes } from './held-lanes.ts';
import { keyText, type LaneHold } from './lane-hold.ts';
import { parkedBehindKey } from './plan-transaction.ts';
import type { AsideRow, OutboxRow, ProducerSession } from './ports.ts';
import { attemptHead, dueHead, nextHeadDueInMs } from './retry-aside.ts';
import type { SenderOptions } from './sender-options.ts';
import type { TopicNotes } from './sent-topics.ts';
import { loadAside } from './take-lanes.ts';

/** What is aside is looked at again this often, in case an operator changed it; where nothing was, less often. */
const ASIDE_LOOK_MS = { some: 5_000, none: 30_000 };

export interface DueAttempt {
  readonly hold: LaneHold;
  readonly head: AsideRow;
}

export class AsideRounds {
  readonly #options: SenderOptions;
  readonly #lanes: HeldLanes;
  readonly #notes: TopicNotes;
  readonly #isBlocked: (topic: string) => boolean;

  constructor(options: SenderOptions, lanes: HeldLanes, notes: TopicNotes, isBlocked: (topic: string) => boolean) {
    this.#options = options;
    this.#lanes = lanes;
    this.#notes = notes;
    this.#isBlocked = isBlocked;
  }

  /** Reads what is aside anew where that is due. */
  async refresh(session: ProducerSession): Promise<void> {
    const stale = [...this.#lanes.holds.values()].filter((hold) => this.#isStale(hold));
    if (stale.length > 0) await loadAside(this.#options, session, stale);
  }

  /** Sets rows aside whose key waits. False: the lane is not ours any more, and nothing changed. */
  async park(hold: LaneHold, rows: readonly OutboxRow[]): Promise<boolean> {
    if (!(await this.#options.store.setAside(hold.lane, hold.claimEpoch, rows.map(parkedBehindKey)))) return false;
    // A row whose commit was lost comes again, and goes before the one that its key was waiting for.
    const leads = ({ key, id }: OutboxRow) => key !== null && id < (hold.parked.get(keyText(key))?.id ?? 0);
    if (rows.some(leads)) hold.asideReadAtMs = null;
    return true;
  }

  /** The row to try now, or null. Halts lanes in which too much waits: null also means that every lane may deliver. */
  async nextDue(): Promise<DueAttempt | null> {
    for (const hold of [...this.#lanes.holds.values()]) {
      const waiting = hold.parked.size + hold.asideIds.size;
      if (waiting > this.#options.parkedKeysMax) {
        const why = `more than ${this.#options.parkedKeysMax} keys and rows without a key wait for refused rows`;
        await this.#lanes.halt(hold, why);
        continue;
      }
      const head = dueHead(hold, this.#options, this.#isBlocked);
      if (head !== null) return { hold, head };
    }
    return null;
  }

  /**
   * One attempt. `delivered`: the session is sound. `refused`: it is dead. `lost`: the lane was taken from us or the row from
   * under us; a fresh session finds out which. A rejection leaves the outcome to be settled under a fresh session.
   */
  async attempt(session: ProducerSession, { hold, head }: DueAttempt): Promise<'delivered' | 'refused' | 'lost'> {
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
      restMs = Math.min(restMs, nextHeadDueInMs(hold, this.#options, this.#isBlocked) ?? restMs);
    }
    return Math.max(1, restMs);
  }

  #isStale(hold: LaneHold): boolean {
    if (hold.asideReadAtMs === null) return true;
    const lookMs = hold.parked.size + hold.asideIds.size > 0 ? ASIDE_LOOK_MS.some : ASIDE_LOOK_MS.none;
    return this.#options.clock.nowMs() - hold.asideReadAtMs > lookMs;
  }
}
