/**
 * Attempts at rows set aside, one attempt at a time per lane, exactly once: the attempt's token is written to the database first,
 * beside each of its rows, and to Kafka in the same transaction as the records, so that after a crash the two tell whether the
 * attempt went through. A refused row is tried alone, rows that only waited for their target go many at a time.
 */
import { asRelayError, backoffMs, crashPoint, RelayError } from '#runtime';
import { misfitOf } from './defer-misfits.ts';
import { asideHeads, changing, type LaneHold } from './lane-hold.ts';
import { toRecord } from './plan-transaction.ts';
import type { AsideHead, AsideRow, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { untilSettled } from './until-settled.ts';

/**
 * What a row is after its last attempt. Under `halt` it stays due: a holder that dies between this and halting the lane leaves
 * it to the next one, and an operator who resumes the lane gets the attempt that shows whether the cause is gone.
 */
const SPENT_STATE = { 'dead-letter': 'dead', 'park-key': 'parked', halt: 'retrying' } as const;

/** A row that only waits behind its key has no attempts yet, however few are allowed. */
const isStuck = ({ state, attempts }: AsideHead, { retriesMax }: SenderOptions): boolean =>
  state === 'parked' && attempts > 0 && attempts >= retriesMax;

/**
 * The heads due for an attempt, in id order. A row is only retried once the lane's marker has passed it for good, and while its
 * target takes rows: were that commit lost, the row would be read from the outbox again, whatever its attempt had come to.
 */
export function dueHeads(
  hold: LaneHold,
  options: SenderOptions,
  isHeldUp: (head: AsideHead) => boolean,
): readonly AsideHead[] {
  // Not read since rows were set aside: when they are due is not known.
  if (hold.asideReadAtMs === null) return [];
  const sinceReadMs = options.clock.nowMs() - hold.asideReadAtMs;
  return asideHeads(hold).filter((head) => {
    if (isStuck(head, options) || head.id > hold.settled) return false;
    return (head.state === 'parked' || head.dueInMs <= sinceReadMs) && !isHeldUp(head);
  });
}

/** Milliseconds until the next head is due, or null when none waits for time alone. Markers settle as the lanes are trimmed. */
export function nextHeadDueInMs(
  hold: LaneHold,
  options: SenderOptions,
  isHeldUp: (head: AsideHead) => boolean,
): number | null {
  const sinceReadMs = options.clock.nowMs() - (hold.asideReadAtMs ?? 0);
  const waits = asideHeads(hold)
    .filter((head) => head.id <= hold.marker && !isHeldUp(head) && !isStuck(head, options))
    .map((head) => {
      const dueInMs = head.state === 'retrying' ? head.dueInMs - sinceReadMs : 0;
      return head.id > hold.settled ? Math.max(dueInMs, options.trimIntervalMs) : dueInMs;
    });
  return waits.length === 0 ? null : Math.max(0, Math.min(...waits));
}

/** `unsent`: known to be too large without being sent, so that the session is sound. */
export type AttemptOutcome = 'delivered' | 'refused' | 'unsent' | 'lost';

/**
 * One attempt. Resolves when the outcome is settled; rejects when it is not (a world fault, or the database away): the caller
 * then throws the session away, and `loadAside` after the next fencing settles it. `lost`: the
 * lane is somebody else's, or an operator took the row.
 */
export async function attemptHead(
  options: SenderOptions,
  session: ProducerSession,
  hold: LaneHold,
  head: AsideHead,
): Promise<AttemptOutcome> {
  const row = await options.store.readAside(head.id);
  if (row === null) return 'lost';
  const misfit = await misfitOf(session, row, hold);
  if (misfit !== null) return (await refuseUnsent(options, hold, [head], misfit)) ? 'unsent' : 'lost';
  try {
    const sent = await attemptRows(options, session, hold, [row]);
    if (sent === null) return 'lost';
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict !== 'row-fault') throw thrown;
    return (await recordRefusals(options, hold, [head], error)) ? 'refused' : 'lost';
  }
  options.onEvent({ kind: 'row-recovered', lane: hold.lane, id: head.id });
  return 'delivered';
}

/**
 * Sends rows aside in one attempt. Resolves to those that arrived and are not aside any more: all but those that somebody took
 * away meanwhile; null when that is all of them, or the lane is somebody else's. A rejection leaves the outcome to be settled
 * under a fresh session, unless the session is intact.
 */
export async function attemptRows(
  options: SenderOptions,
  session: ProducerSession,
  hold: LaneHold,
  rows: readonly AsideRow[],
): Promise<readonly AsideRow[] | null> {
  const { store } = options;
  const token = await nextToken(options, session, hold);
  const ids = rows.map(({ id }) => id);
  const begun = new Set(await changing(hold, () => store.beginAttempt(hold.lane, hold.claimEpoch, ids, token)));
  const sent = rows.filter(({ id }) => begun.has(id));
  if (sent.length === 0) return null;
  crashPoint('sender-after-attempt-begun');
  const records = sent.map((row) => toRecord(row, hold));
  await session.transact(records, [{ kind: 'retry', lane: hold.lane, value: token }]);
  crashPoint('sender-after-attempt');
  // The copies aside are the last ones: they stay until the records are in Kafka for good.
  if (!(await untilSettled(options, 'retry', new Map([[hold.lane, token]])))) {
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'an attempt was acknowledged and does not settle');
  }
  await store.removeAside(sent.map(({ id }) => id));
  return sent;
}

async function nextToken(options: SenderOptions, session: ProducerSession, hold: LaneHold): Promise<number> {
  if (hold.retryToken === null) {
    const markers = session.transactional
      ? await options.kafka.readMarkers('retry', [hold.lane])
      : new Map<number, number>();
    hold.retryToken = Math.max(markers.get(hold.lane) ?? 0, hold.tokenFloor, 0);
  }
  hold.retryToken += 1;
  return hold.retryToken;
}

/**
 * Heads known to be too large when their attempt is due: it counts as failed without being made, for all of them at once. False:
 * the lane is not ours any more.
 */
export async function refuseUnsent(
  options: SenderOptions,
  hold: LaneHold,
  heads: readonly AsideHead[],
  why: string,
): Promise<boolean> {
  const error = new RelayError('KAFKA_RECORD_REFUSED', why);
  hold.asideReadAtMs = null;
  for (const group of Map.groupBy(heads, ({ attempts }) => attempts).values()) {
    if (!(await recordRefusals(options, hold, group, error, true))) return false;
  }
  return true;
}

/**
 * Of rows with as many attempts each; due again together. False: the lane is not ours any more, and what became of the rows is
 * its new holder's to find out.
 */
export async function recordRefusals(
  options: SenderOptions,
  hold: LaneHold,
  heads: readonly AsideHead[],
  error: RelayError,
  unsent = false,
): Promise<boolean> {
  const [first] = heads;
  if (first === undefined) return true;
  const { lane } = hold;
  const { id, topic } = first;
  const attempts = first.attempts + 1;
  const spent = attempts >= options.retriesMax;
  const delayMs = backoffMs(attempts, options.backoff, options.random);
  const outcome = {
    error: `${error.code}: ${error.message}`,
    dueInMs: delayMs,
    state: spent ? SPENT_STATE[options.rowFaultPolicy] : 'retrying',
  };
  const ids = heads.map((head) => head.id);
  const isOurs = await changing(hold, () => options.store.failAttempts(lane, hold.claimEpoch, ids, outcome));
  if (!isOurs) return false;
  const { code, message } = error;
  if (!spent && unsent) {
    options.onEvent({ kind: 'rows-still-too-large', lane, topic, rows: ids.length, id, message, attempts, delayMs });
  } else if (!spent) options.onEvent({ kind: 'row-retry-failed', lane, id, code, attempts, delayMs });
  if (!spent) return true;
  for (const each of ids) {
    options.onEvent({ kind: 'row-dead', lane, id: each, attempts, policy: options.rowFaultPolicy });
  }
  if (options.rowFaultPolicy !== 'halt') return true;
  const why = `row ${id} was refused ${attempts} times (${code}) and the policy is halt: mend the cause, or drop the row with dead-letters, then resume the lane`;
  if (!(await options.store.haltLane(lane, hold.claimEpoch, why))) return false;
  options.onEvent({ kind: 'lane-halted', lane, why });
  return true;
}
