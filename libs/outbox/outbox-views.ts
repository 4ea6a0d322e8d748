/** The relay's own tables as settings name them, and what operators see of them, whatever database holds them. */
import type { Stall } from '#runtime';
import type { Member } from './ports.ts';

export interface OutboxTables {
  readonly watermark: string;
  readonly outbox: string;
  readonly lane: string;
  readonly member: string;
  readonly deadLetter: string;
  readonly topic: string;
  readonly gap: string;
  readonly sourceFacts: string;
}

/** Open gaps of a source together. */
export interface GapSums {
  readonly ranges: number;
  /** Positions. */
  readonly missing: bigint;
  /** Since the oldest was sighted, by the database's clock. */
  readonly oldestMs: number;
}

export interface MemberStatus extends Member {
  /** Since its last heartbeat, by the database's clock. */
  readonly silentMs: number;
  readonly upMs: number;
  /** What it last said of parts whose rows do not move. */
  readonly stalls: readonly Stall[];
}

export interface LaneBacklog {
  readonly lane: number;
  readonly source: string;
  /** Rows past `delivered_id`; delivered ones not deleted yet are among them. */
  readonly rows: number;
  /** True when counting stopped at the bound: there are at least `rows`. */
  readonly capped: boolean;
  /** Age of the oldest of them by the database's clock; null without any. */
  readonly oldestAgeMs: number | null;
}

export interface WaitingRow {
  readonly source: string;
  readonly eventId: string;
  readonly outboxId: number;
  readonly key: Buffer | null;
  /** `outbox`, or the state of a row set aside. */
  readonly state: string;
}

const ERROR_LENGTH_MAX = 4_000;

/** What is kept of an error beside a row set aside. */
export const errorText = (error: string): string => error.slice(0, ERROR_LENGTH_MAX).toWellFormed();
