/**
 * The background half of holding lanes: heartbeat, lease renewal and a look at who holds what, on a timer of its own so that
 * a slow Kafka does not cost the leases. It only observes; the sender's loop claims and releases between two batches.
 */
import { asRelayError, backoffMs, Progress, type RelayError } from '#runtime';
import { fairShare } from './fair-share.ts';
import type { LaneHold } from './lane-hold.ts';
import type { LaneRow } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { Wake } from './wake.ts';

const PAUSE_MIN_MS = 250;

export interface LaneView {
  readonly live: readonly string[];
  readonly lanes: readonly LaneRow[];
}

export class LaneMembership {
  readonly #options: SenderOptions;
  readonly #holds: ReadonlyMap<number, LaneHold>;
  readonly #onChange: () => void;
  readonly #wake = new Wake();
  /** A fresh view, until the loop has acted on it. */
  #view: LaneView | null = null;
  /** Claims found not to be ours any more, as lane and claim epoch. */
  #lost = new Map<number, number>();
  #unwellSinceMs: number | null = null;
  #reported = '';
  #joined = false;
  /** Of the looks themselves: what they are for is done when one succeeds. */
  readonly #progress = new Progress();
  #pauseMs = 0;

  constructor(options: SenderOptions, holds: ReadonlyMap<number, LaneHold>, onChange: () => void) {
    this.#options = options;
    this.#holds = holds;
    this.#onChange = onChange;
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake.ring();
    signal.addEventListener('abort', stop);
    while (!signal.aborted) {
      this.#wake.clear();
      const ok = await this.#tick();
      if (signal.aborted) break;
      await this.#wake.wait(this.#options.clock, ok ? this.#options.tickMs : this.#pauseMs);
    }
    signal.removeEventListener('abort', stop);
  }

  /** Look now: somebody said that lanes or members changed. */
  hurry(): void {
    this.#wake.ring();
  }

  /** Kafka answers or does not. A sender without Kafka lets its lanes go after a lease, so that others can serve them. */
  reportKafka(well: boolean): void {
    if (well) this.#unwellSinceMs = null;
    else this.#unwellSinceMs ??= this.#options.clock.nowMs();
  }

  takeView(): LaneView | null {
    const view = this.#view;
    this.#view = null;
    return view;
  }

  takeLost(): ReadonlyMap<number, number> {
    const lost = this.#lost;
    if (lost.size > 0) this.#lost = new Map();
    return lost;
  }

  /** Longer with each fault, but never so long that the leases run out for the lack of a look. */
  #failed(error: RelayError): void {
    const { tickMs, clock, random, onEvent } = this.#options;
    const attempt = this.#progress.failed(error, clock.nowMs());
    this.#pauseMs = backoffMs(attempt, { baseMs: Math.min(PAUSE_MIN_MS, tickMs), maxMs: tickMs }, random);
    const { code, message } = error;
    onEvent({ kind: 'sender-retry', code, message, attempt, delayMs: this.#pauseMs });
  }

  #letGo(): boolean {
    const since = this.#unwellSinceMs;
    return since !== null && this.#options.clock.nowMs() - since > this.#options.leaseMs;
  }

  async #tick(): Promise<boolean> {
    const { store, transactionalId, leaseMs } = this.#options;
    try {
      if (this.#letGo()) {
        await store.heartbeat({ id: transactionalId, kind: 'waiting' }, leaseMs);
        this.#progress.idle(this.#options.clock.nowMs());
        return true;
      }
      const live = await store.heartbeat({ id: transactionalId, kind: 'sender' }, leaseMs);
      const claims = [...this.#holds.values()].map(({ lane, claimEpoch }) => ({
        lane,
        claimEpoch,
      }));
      if (claims.length > 0) {
        const kept = new Set(await store.renewLeases(claims, leaseMs));
        for (const claim of claims) if (!kept.has(claim.lane)) this.#lost.set(claim.lane, claim.claimEpoch);
      }
      this.#view = { live, lanes: await store.listLanes() };
      this.#progress.idle(this.#options.clock.nowMs());
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (error.verdict === 'fatal') throw error;
      this.#failed(error);
      return false;
    }
    this.#report(this.#view);
    // Those who hold more than their new share give lanes back at once instead of at their next look.
    if (!this.#joined) this.#options.doorbell.ring({ kind: 'lanes-changed' });
    this.#joined = true;
    this.#onChange();
    return true;
  }

  #report(view: LaneView): void {
    const facts = {
      live: view.live.length,
      share: shareOf(view, this.#options.transactionalId),
      held: this.#holds.size,
    };
    const text = JSON.stringify(facts);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.onEvent({ kind: 'members', ...facts });
  }
}

export const shareOf = (view: LaneView, me: string): number =>
  fairShare(view.lanes.filter((lane) => lane.state === 'running').length, view.live, me);

/** Lanes somebody may claim now. */
export const claimable = (view: LaneView, held: ReadonlyMap<number, unknown>): number[] =>
  view.lanes
    .filter((row) => row.state === 'running' && !held.has(row.lane) && (row.holder === null || row.leaseExpired))
    .map((row) => row.lane);
