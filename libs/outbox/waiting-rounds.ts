/**
 * Rows that wait for their targets, and their way back. A blocked target is tried with a few rows when its rest is over; once it
 * has taken some, the others follow, as many in an attempt as fit. A world fault uses up no attempts of a row: only a refusal of
 * the row itself makes it one that is retried by itself.
 */
import { asRelayError, type RelayError } from '#runtime';
import type { HeldLanes } from './held-lanes.ts';
import { ANY_ROWS_MAX, changing, expectWaiting, keyText, type LaneHold, type WaitingQueue } from './lane-hold.ts';
import { PROBE_ROWS, toRecord } from './plan-transaction.ts';
import type { AsideHead, AsideRow, Doubt, ProducerSession, SenderStore } from './ports.ts';
import { attemptRows, recordRefusals, refuseUnsent } from './retry-aside.ts';
import type { Routes } from './routes.ts';
import type { SenderOptions } from './sender-options.ts';
import type { TopicNotes } from './sent-topics.ts';
import type { TargetBlocks } from './target-blocks.ts';
import { type Target, targetOf } from './targets.ts';

export interface DueQueue {
  readonly hold: LaneHold;
  readonly waitsFor: string;
  readonly queue: WaitingQueue;
}

const NOTHING_SETTLED = { arrived: [], missing: [] } as const;

/** `nothing`: no row was sent. `delivered`: the session is sound. `refused`: it is dead. `lost`: the lane may be somebody else's. */
export type QueueOutcome = 'nothing' | 'delivered' | 'refused' | 'lost';

export class WaitingRounds {
  readonly #options: SenderOptions;
  readonly #lanes: HeldLanes;
  readonly #notes: TopicNotes;
  readonly #blocks: TargetBlocks;
  readonly #routes: Routes;
  #turn = 0;

  constructor(options: SenderOptions, lanes: HeldLanes, notes: TopicNotes, blocks: TargetBlocks, routes: Routes) {
    this.#options = options;
    this.#lanes = lanes;
    this.#notes = notes;
    this.#blocks = blocks;
    this.#routes = routes;
  }

  /** The queue to try now, or null. Lanes and their queues have their turns. */
  nextDue(): DueQueue | null {
    const due: DueQueue[] = [];
    for (const hold of this.#lanes.holds.values()) {
      for (const [waitsFor, queue] of hold.queues)
        if (this.#isDue(hold, waitsFor, queue)) due.push({ hold, waitsFor, queue });
    }
    this.#turn += 1;
    return due[this.#turn % Math.max(1, due.length)] ?? null;
  }

  #isDue(hold: LaneHold, waitsFor: string, queue: WaitingQueue): boolean {
    const isDoubted = hold.doubts.some((doubt) => doubt.waitsFor === waitsFor);
    if (isDoubted ? hold.lookAt > hold.settled : (queue.emptyUpTo ?? -1) >= hold.settled) return false;
    const target = targetOf(waitsFor);
    const block = this.#blocks.of(target);
    if (block !== null && this.#blocks.isResting(block)) return false;
    // A key may have earlier rows in the queue of the whole topic, or of a smaller partition count: that one goes first, and
    // hands over what belongs here.
    for (const [name, { rows }] of hold.queues) {
      const other = targetOf(name);
      if (other.topic === target.topic && rows > 0 && rankOf(other) < rankOf(target)) return false;
    }
    return true;
  }

  /** One attempt at the rows at the front of a queue. */
  async attempt(session: ProducerSession, due: DueQueue): Promise<QueueOutcome> {
    const { hold, waitsFor, queue } = due;
    const { store, limits } = this.#options;
    const target = targetOf(waitsFor);
    const doubts = hold.doubts.filter((doubt) => doubt.waitsFor === waitsFor);
    if (doubts.length > 0) return this.#resolve(due, doubts);
    const isProbe = this.#blocks.of(target) !== null;
    const rowsMax = Math.max(1, Math.min(limits.rowsMax, queue.rowsMax, isProbe ? PROBE_ROWS : ANY_ROWS_MAX));
    // The lane's trimming raises it meanwhile.
    const upTo = hold.settled;
    const found = await store.readQueue(hold.lane, waitsFor, upTo, { rowsMax, bytesMax: limits.bytesMax });
    if (found.length === 0) {
      await this.#count(hold, waitsFor);
      queue.emptyUpTo = upTo;
      return 'nothing';
    }
    const behind = found.filter((row) => isBehindKey(hold, row));
    if (behind.length > 0) return this.#park(hold, behind);
    const elsewhere = found.filter((row) => this.#routes.queueOf(hold, row) !== waitsFor);
    if (elsewhere.length > 0) return (await this.deferRows(hold, elsewhere)) ? 'nothing' : 'lost';
    const rows = this.#unblocked(found);
    if (rows.length === 0) return 'nothing';
    const fitting = await this.#refuseMisfits(session, hold, rows);
    if (fitting === 'lost' || fitting.length === 0) return fitting === 'lost' ? 'lost' : 'nothing';
    await this.#notes.note([target.topic]);
    try {
      // Until its outcome is known and written down what is aside is to be read anew.
      const readAtMs = hold.asideReadAtMs;
      hold.asideReadAtMs = null;
      const sent = await attemptRows(this.#options, session, hold, fitting);
      hold.asideReadAtMs = readAtMs;
      if (sent === null) return 'lost';
      this.#returned(due, sent);
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (error.verdict !== 'row-fault') throw thrown;
      return this.#refused(due, fitting, error);
    }
    queue.rowsMax = queue.rowsMax * 2;
    if (found.length < rowsMax) await this.#count(hold, waitsFor);
    return 'delivered';
  }

  /**
   * The partition may be asked again what arrived there of what former producers sent. Before anything is concluded the marker
   * passes whatever did: it is not in the way of a row that is still to be read from the lane.
   */
  async #resolve({ hold, waitsFor, queue }: DueQueue, doubts: readonly Doubt[]): Promise<QueueOutcome> {
    const { kafka, store } = this.#options;
    const landed = await kafka.findDoubted(doubts, hold.lane);
    const committed = [...(landed?.committed ?? [])];
    const highest = committed.reduce((max, id) => Math.max(max, id), 0);
    if (highest > hold.settled) {
      hold.passUpTo = Math.max(hold.passUpTo, highest);
      hold.lookAt = highest;
      return 'nothing';
    }
    const doubted = await store.listDoubted(hold.lane, waitsFor);
    const missing = doubted.filter((id) => landed?.aborted.has(id) && !landed.committed.has(id));
    const lacking = new Set(missing);
    const arrived = [...committed, ...doubted.filter((id) => !lacking.has(id))];
    const left = hold.doubts.filter((doubt) => doubt.waitsFor !== waitsFor);
    const verdicts = { arrived, missing, doubts: left };
    if (!(await changing(hold, () => store.settleAttempts(hold.lane, hold.claimEpoch, verdicts)))) return 'lost';
    hold.doubts = left;
    hold.asideReadAtMs = null;
    queue.emptyUpTo = null;
    return 'nothing';
  }

  #returned({ hold, waitsFor, queue }: DueQueue, sent: readonly AsideRow[]): void {
    queue.rows = Math.max(0, queue.rows - sent.length);
    queue.bytes = Math.max(0, queue.bytes - sent.reduce((sum, { size }) => sum + size, 0));
    const { onEvent } = this.#options;
    onEvent({ kind: 'rows-returned', lane: hold.lane, waitsFor, rows: sent.length });
    const bytes = sent.reduce((sum, { size }) => sum + size, 0);
    onEvent({ kind: 'delivered', rows: sent.length, bytes, lanes: [hold.lane], transactionMs: 0 });
    this.#answered(waitsFor, sent);
  }

  /** The target is there again: it has taken rows, or refused one. Of the whole topic's queue each row has its own partition. */
  #answered(waitsFor: string, rows: readonly AsideRow[]): void {
    const { onEvent, clock } = this.#options;
    for (const target of [targetOf(waitsFor), ...rows.map((row) => this.#routes.targetOf(row))]) {
      for (const { topic, partition, sinceMs } of this.#blocks.took(target)) {
        onEvent({ kind: 'target-back', topic, partition, blockedMs: clock.nowMs() - sinceMs });
      }
    }
  }

  /** Rows known to be too large are refused rows from now on; those of their keys are looked at again. */
  async #refuseMisfits(
    session: ProducerSession,
    hold: LaneHold,
    rows: readonly AsideRow[],
  ): Promise<readonly AsideRow[] | 'lost'> {
    if (session.misfits === undefined) return rows;
    const records = new Map(rows.map((row) => [toRecord(row, hold), row]));
    const misfits = await session.misfits([...records.keys()]);
    if (misfits.size === 0) return rows;
    for (const why of new Set(misfits.values())) {
      const heads = [...records].filter(([record]) => misfits.get(record) === why).map(([, row]) => headOf(row));
      if (!(await refuseUnsent(this.#options, hold, heads, why))) return 'lost';
    }
    return [];
  }

  /** Where one row cannot go yet, those behind it wait: they may be of its key. */
  #unblocked(rows: readonly AsideRow[]): readonly AsideRow[] {
    const isStopped = (row: AsideRow) => {
      const block = this.#blocks.of(this.#routes.targetOf(row));
      return block !== null && this.#blocks.isResting(block);
    };
    const stop = rows.findIndex(isStopped);
    return stop < 0 ? rows : rows.slice(0, stop);
  }

  /** Rows whose key waits for an earlier row that was refused wait for that one. */
  async #park(hold: LaneHold, rows: readonly AsideRow[]): Promise<QueueOutcome> {
    const ids = rows.map(({ id }) => id);
    hold.asideReadAtMs = null;
    const to = { waitsFor: null, error: 'waits behind a row of its key' };
    return (await this.#move(hold, ids, to)) ? 'nothing' : 'lost';
  }

  /** Among many the row is found by halves; alone it is retried by itself from now on. */
  async #refused(due: DueQueue, rows: readonly AsideRow[], error: RelayError): Promise<QueueOutcome> {
    const { hold, waitsFor, queue } = due;
    this.#answered(waitsFor, rows.slice(0, 1));
    const [row] = rows;
    if (rows.length > 1 || row === undefined) {
      queue.rowsMax = Math.max(1, Math.floor(rows.length / 2));
      return 'refused';
    }
    hold.asideReadAtMs = null;
    return (await recordRefusals(this.#options, hold, [headOf(row)], error)) ? 'refused' : 'lost';
  }

  /**
   * A queue is gone once the database has no row of it: nothing else may let rows go past it. The claim is proven first, which
   * waits for copies of ours that are still being committed.
   */
  async #count(hold: LaneHold, waitsFor: string): Promise<void> {
    const { store } = this.#options;
    if (!(await store.settleAttempts(hold.lane, hold.claimEpoch, NOTHING_SETTLED))) return;
    const found = (await store.listQueues([hold.lane])).find((each) => each.waitsFor === waitsFor);
    const queue = hold.queues.get(waitsFor);
    if (queue === undefined) return;
    if (found === undefined && !hold.doubts.some((doubt) => doubt.waitsFor === waitsFor)) hold.queues.delete(waitsFor);
    else Object.assign(queue, { rows: found?.rows ?? 0, bytes: found?.bytes ?? 0 });
  }

  /** Rows aside wait for their targets from now on: heads whose target takes nothing, so that their keys go on. */
  async deferRows(hold: LaneHold, aside: readonly AsideHead[] | readonly AsideRow[]): Promise<boolean> {
    const byName = Map.groupBy<string | null, AsideHead | AsideRow>(aside, (row) => {
      const route = this.#routes.of(hold, row);
      return typeof route === 'string' ? null : route.waitsFor;
    });
    for (const [waitsFor, rows] of byName) {
      if (waitsFor === null) continue;
      expectWaiting(hold, waitsFor, rows);
      hold.asideReadAtMs = null;
      const to = { waitsFor, error: this.errorOf(waitsFor) };
      const ids = rows.map(({ id }) => id);
      if (!(await this.#move(hold, ids, to))) return false;
    }
    return true;
  }

  #move(hold: LaneHold, ids: readonly number[], to: Parameters<SenderStore['moveAside']>[3]): Promise<boolean> {
    return changing(hold, () => this.#options.store.moveAside(hold.lane, hold.claimEpoch, ids, to));
  }

  /** What stands beside a row that waits for a target. */
  errorOf(waitsFor: string): string {
    const block = this.#blocks.of(targetOf(waitsFor));
    return block === null ? 'waits behind rows of its partition' : `${block.code}: ${block.message}`;
  }

  /** Milliseconds until a queue may be tried, or null. */
  dueInMs(): number | null {
    let least: number | null = null;
    for (const hold of this.#lanes.holds.values()) {
      for (const [waitsFor, queue] of hold.queues) {
        const unsettled = queue.emptyUpTo !== null && queue.emptyUpTo >= hold.settled;
        const block = this.#blocks.of(targetOf(waitsFor));
        const restMs = block === null ? 0 : block.untilMs - this.#options.clock.nowMs();
        const ms = Math.max(restMs, unsettled ? this.#options.trimIntervalMs : 0);
        least = Math.min(least ?? ms, ms);
      }
    }
    return least;
  }
}

function isBehindKey(hold: LaneHold, row: AsideRow): boolean {
  const head = row.key === null ? undefined : hold.parked.get(keyText(row.key));
  return head !== undefined && head.id < row.id;
}

const rankOf = ({ partitions }: Target): number => partitions ?? 0;

const headOf = ({ value, headers: _, ...row }: AsideRow): AsideHead => ({ ...row, valueBytes: value?.length ?? null });
