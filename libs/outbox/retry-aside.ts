/**
 * Retries of rows set aside, one at a time per lane, exactly once: the attempt's token is written to the database first and to
 * Kafka in the same transaction as the record, so that after a crash the two tell whether the attempt went through.
 */
import { asRelayError, backoffMs, RelayError } from '#runtime';
import { asideHeads, type LaneHold } from './lane-hold.ts';
import { toRecord } from './plan-transaction.ts';
import type { AsideRow, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { untilSettled } from './until-settled.ts';

/**
 * What a row is after its last attempt. Under `halt` it stays due: a holder that dies between this and halting the lane leaves
 * it to the next one, and an operator who resumes the lane gets the attempt that shows whether the cause is gone.
 */
const SPENT_STATE = { 'dead-letter': 'dead', 'park-key': 'parked', halt: 'retrying' } as const;

/** A row that only waits behind its key has no attempts yet, however few are allowed. */
const isStuck = ({ state, attempts }: AsideRow, { retriesMax }: SenderOptions): boolean =>
  state === 'parked' && attempts > 0 && attempts >= retriesMax;

/**
 * The head due for an attempt, or null. A row is only retried once the lane's marker has passed it for good, and while its
 * topic is there: were that commit lost, the row would be read from the outbox again, whatever its attempt had come to.
 */
export function dueHead(
  hold: LaneHold,
  options: SenderOptions,
  isBlocked: (topic: string) => boolean,
): AsideRow | null {
  const sinceReadMs = options.clock.nowMs() - (hold.asideReadAtMs ?? 0);
  for (const head of asideHeads(hold)) {
    if (isStuck(head, options) || head.id > hold.settled || isBlocked(head.topic)) continue;
    if (head.state === 'parked' || head.dueInMs <= sinceReadMs) return head;
  }
  return null;
}

/** Milliseconds until the next head is due, or null when none waits for time alone. Markers settle as the lanes are trimmed. */
export function nextHeadDueInMs(
  hold: LaneHold,
  options: SenderOptions,
  isBlocked: (topic: string) => boolean,
): number | null {
  const sinceReadMs = options.clock.nowMs() - (hold.asideReadAtMs ?? 0);
  const waits = asideHeads(hold)
    .filter((head) => head.id <= hold.marker && !isBlocked(head.topic) && !isStuck(head, options))
    .map((head) => {
      const dueInMs = head.state === 'retrying' ? head.dueInMs - sinceReadMs : 0;
      return head.id > hold.settled ? Math.max(dueInMs, options.trimIntervalMs) : dueInMs;
    });
  return waits.length === 0 ? null : Math.max(0, Math.min(...waits));
}

/**
 * One attempt. Resolves when the outcome is settled; rejects when it is not (a world fault, or the database away): the caller
 * then throws the session away, and `loadAside` after the next fencing settles it. `lost`: the
 * lane is somebody else's, or an operator took the row.
 */
export async function attemptHead(
  options: SenderOptions,
  session: ProducerSession,
  hold: LaneHold,
  head: AsideRow,
): Promise<'delivered' | 'refused' | 'lost'> {
  const token = await nextToken(options, session, hold);
  if (!(await options.store.beginAttempt(hold.lane, hold.claimEpoch, head.id, token))) return 'lost';
  try {
    await session.transact([toRecord(head, hold)], [{ kind: 'retry', lane: hold.lane, value: token }]);
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.verdict !== 'row-fault') throw error;
    return (await recordRefusal(options, hold, head, error)) ? 'refused' : 'lost';
  }
  // The copy aside is the last one: it stays until the record is in Kafka for good.
  if (!(await untilSettled(options, 'retry', new Map([[hold.lane, token]])))) {
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'an attempt was acknowledged and does not settle');
  }
  await options.store.removeAside(head.id);
  options.onEvent({ kind: 'row-recovered', lane: hold.lane, id: head.id });
  return 'delivered';
}

async function nextToken(options: SenderOptions, session: ProducerSession, hold: LaneHold): Promise<number> {
  if (hold.retryToken === null) {
    const markers = session.transactional
      ? await options.kafka.readMarkers('retry', [hold.lane])
      : new Map<number, number>();
    const begun = Math.max(0, ...asideHeads(hold).map((row) => row.attemptToken));
    hold.retryToken = Math.max(markers.get(hold.lane) ?? 0, begun, 0);
  }
  hold.retryToken += 1;
  return hold.retryToken;
}

/** False: the lane is not ours any more, and what became of the row is its new holder's to find out. */
async function recordRefusal(
  options: SenderOptions,
  hold: LaneHold,
  head: AsideRow,
  error: RelayError,
): Promise<boolean> {
  const attempts = head.attempts + 1;
  const spent = attempts >= options.retriesMax;
  const delayMs = backoffMs(attempts, options.backoff, options.random);
  const outcome = {
    error: `${error.code}: ${error.message}`,
    dueInMs: delayMs,
    state: spent ? SPENT_STATE[options.rowFaultPolicy] : 'retrying',
  };
  if (!(await options.store.failAttempt(hold.lane, hold.claimEpoch, head.id, outcome))) return false;
  if (!spent) {
    options.onEvent({
      kind: 'row-retry-failed',
      lane: hold.lane,
      id: head.id,
      code: error.code,
      attempts,
      delayMs,
    });
    return true;
  }
  options.onEvent({
    kind: 'row-dead',
    lane: hold.lane,
    id: head.id,
    attempts,
    policy: options.rowFaultPolicy,
  });
  if (options.rowFaultPolicy !== 'halt') return true;
  const why = `row ${head.id} was refused ${attempts} times (${error.code}) and the policy is halt: mend the cause, or drop the row with dead-letters, then resume the lane`;
  if (!(await options.store.haltLane(hold.lane, hold.claimEpoch, why))) return false;
  options.onEvent({ kind: 'lane-halted', lane: hold.lane, why });
  return true;
}
