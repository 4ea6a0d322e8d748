/** The outbox store port, as far as it is about rows set aside from their lanes. */
import type { BatchLimits } from './ports-source.ts';

export interface OutboxMessage {
  readonly id: number;
  readonly eventId: string;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>> | null;
}

export interface OutboxRow extends OutboxMessage {
  /** Bytes of key, value and headers, as the writer counted them. */
  readonly size: number;
}

/**
 * A row set aside from its lane: being retried, waiting behind a parked key, waiting for its target (a topic or partition that
 * takes nothing now), or dead (policy `dead-letter` spent).
 */
export type AsideState = 'retrying' | 'parked' | 'waiting' | 'dead';

/** A row to be set aside. */
export interface AsideEntry {
  readonly row: OutboxRow;
  readonly state: AsideState;
  readonly error: string;
  readonly dueInMs: number;
  /** State `waiting`: the name of the target (`targetName`). */
  readonly waitsFor?: string;
  /** State `waiting`: the row was sent, and its partition cannot say whether it arrived. */
  readonly inDoubt?: boolean;
}

/** What somebody may have sent to a partition that could not be asked when he was fenced, or lost his session. */
export interface Doubt {
  /** `targetName` of the partition. */
  readonly waitsFor: string;
  /** Who sent, in words of the Kafka port. */
  readonly by: string;
  /** From when on, by the clock that is in the records. Of two for one sender and partition the earlier one counts. */
  readonly sinceMs: number;
}

/** Rows of one lane that wait for one target, in the order of their ids. */
export interface AsideQueue {
  readonly lane: number;
  readonly waitsFor: string;
  readonly rows: number;
  readonly bytes: number;
  /** The highest id among them. */
  readonly lastId: number;
  /** Milliseconds since the first of them was set aside, by the database's clock. */
  readonly oldestMs: number;
  /** Why the first of them was set aside. */
  readonly error: string;
}

/** A row with an attempt whose outcome is not written down. */
export interface OpenAttempt {
  readonly lane: number;
  readonly id: number;
  readonly token: number;
  readonly topic: string;
  readonly key: Buffer | null;
}

/** What became of rows that were sent from aside, or with their lane and are in doubt. */
export interface AttemptVerdicts {
  /** In Kafka: they leave. */
  readonly arrived: readonly number[];
  /** Not in Kafka, and never to be seen there: they are sent (again). */
  readonly missing: readonly number[];
  /** Cannot be told: they are in doubt, believed to have arrived until their partition says otherwise. */
  readonly unknown?: readonly number[];
  /** Replaces the lane's doubts. */
  readonly doubts?: readonly Doubt[];
}

export interface AsideRow extends OutboxRow {
  readonly lane: number;
  readonly state: AsideState;
  /** State `waiting`: the name of the target. */
  readonly waitsFor: string | null;
  readonly attempts: number;
  /** Milliseconds until the next attempt is due, by the database's clock; 0 or less: due now. */
  readonly dueInMs: number;
  /**
   * Number of the last attempt begun, written to Kafka with it; 0 before the first. Tells after a crash whether it went through.
   * `IN_DOUBT`: the row was sent, and its partition cannot say whether it arrived.
   */
  readonly attemptToken: number;
}

/** A row set aside as it is kept at hand: without its payload, since there may be thousands of them, of any size. */
export interface AsideHead extends Omit<AsideRow, 'value' | 'headers'> {
  /** Bytes of its value; null: it has none. */
  readonly valueBytes: number | null;
}

/**
 * What changes rows names the claim and checks it in the same transaction (the lane row locked until commit): false or null means
 * that the claim is no longer ours and nothing changed. A paused sender's late copy or token would otherwise send a row twice, or
 * take one for delivered that never was. A change that is given up may still be committed, and its lane's row stays locked until then:
 * whatever proves the claim again, or writes the lane's row, comes after it.
 */
export interface AsideStore {
  /**
   * Copies rows aside (a row already there stays as it is): before the marker may pass them. `doubts` are added to the lane's
   * in the same transaction.
   */
  setAside(
    lane: number,
    claimEpoch: number,
    entries: readonly AsideEntry[],
    doubts?: readonly Doubt[],
  ): Promise<boolean>;
  /**
   * Heads of the rows set aside that are retrying or parked: per lane and key the row with the lowest id (a row without a key
   * is its own head), in id order, at most `rowsMax`. Every key with such a row is named by its head.
   */
  listAsideHeads(lanes: readonly number[], rowsMax: number): Promise<readonly AsideHead[]>;
  /** The whole row; null: it is not aside any more. */
  readAside(id: number): Promise<AsideRow | null>;
  /** What waits for targets, by lane and target. */
  listQueues(lanes: readonly number[]): Promise<readonly AsideQueue[]>;
  /** The next rows that wait for the target, up to the id, ascending, within the limits; one at least where there is one. */
  readQueue(lane: number, waitsFor: string, upTo: number, limits: BatchLimits): Promise<readonly AsideRow[]>;
  /** What may have been sent by whom to partitions that could not be asked; lanes without doubts may be left out. */
  listDoubts(lanes: readonly number[]): Promise<ReadonlyMap<number, readonly Doubt[]>>;
  /** Rows in doubt that wait for the target, ascending. */
  listDoubted(lane: number, waitsFor: string): Promise<readonly number[]>;
  /** Rows with an attempt whose outcome is not written down. Rows in doubt are not among them. */
  listAttempts(lanes: readonly number[]): Promise<readonly OpenAttempt[]>;
  /**
   * Persists the attempt's token with these rows before they are sent, and takes the tokens of all other rows of the lane
   * away: at most one attempt of a lane is open. Resolves to the rows that are still there to be sent; null: the claim is
   * no longer ours.
   */
  beginAttempt(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    token: number,
  ): Promise<readonly number[] | null>;
  /** Writes down what became of attempts and doubts. */
  settleAttempts(lane: number, claimEpoch: number, verdicts: AttemptVerdicts): Promise<boolean>;
  /**
   * Records a failed attempt of each of these rows (attempts + 1, token back to 0: its outcome is known); `state` dead when the
   * policy gives up on them. They wait for no target any more. False also when none of them is there any more.
   */
  failAttempts(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    outcome: {
      readonly error: string;
      readonly dueInMs: number;
      readonly state: AsideState;
    },
  ): Promise<boolean>;
  /** Rows set aside wait for something else from now on: their target (`waitsFor`), or null: their key. */
  moveAside(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    to: { readonly waitsFor: string | null; readonly error: string },
  ): Promise<boolean>;
  /** Removes rows that are in Kafka now. */
  removeAside(ids: readonly number[]): Promise<void>;
}
