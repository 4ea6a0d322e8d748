/**
 * Rows known to be too large before anything is sent: all of a transaction are set aside together, with the rows of their keys that
 * come after them, instead of one refusal and one lost session for each.
 */
import { backoffMs } from '#runtime';
import { changing, keyText, type LaneHold } from './lane-hold.ts';
import { parkedBehindKey, type TransactionPlan, toRecord } from './plan-transaction.ts';
import type { AsideEntry, AsideHead, DeliveryRecord, OutboxRow, ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';

export interface FittingPlan {
  readonly plan: TransactionPlan;
  /** A lane that is somebody else's by now, and its rows with it: nothing of the plan is to be sent. */
  readonly lost: LaneHold | null;
}

/** The plan without the rows that are too large, which are aside by then, so that its markers may pass them. */
export async function planFitting(
  options: SenderOptions,
  session: ProducerSession,
  planOf: (deferred: ReadonlySet<number>) => TransactionPlan,
): Promise<FittingPlan> {
  const plan = planOf(new Set());
  if (session.misfits === undefined || plan.records.length === 0) return { plan, lost: null };
  const misfits = await session.misfits(plan.records);
  if (misfits.size === 0) return { plan, lost: null };
  const ids = new Set<number>();
  for (const hold of plan.lanes) {
    const dueInMs = backoffMs(1, options.backoff, options.random);
    const entries = entriesOf(plan.sent.get(hold.lane) ?? [], whyById(misfits), dueInMs);
    if (entries.length === 0) continue;
    const isOurs = await changing(hold, () => options.store.setAside(hold.lane, hold.claimEpoch, entries));
    if (!isOurs) return { plan, lost: hold };
    for (const { row } of entries) ids.add(row.id);
    adopt(hold, entries);
    say(options, hold, entries);
  }
  return { plan: planOf(ids), lost: null };
}

const whyById = (misfits: ReadonlyMap<DeliveryRecord, string>): ReadonlyMap<number, string> =>
  new Map([...misfits].map(([{ spread }, why]) => [spread, why]));

function entriesOf(rows: readonly OutboxRow[], why: ReadonlyMap<number, string>, dueInMs: number): AsideEntry[] {
  const waiting = new Set<string>();
  return rows.flatMap((row): AsideEntry[] => {
    const key = row.key === null ? null : keyText(row.key);
    if (key !== null && waiting.has(key)) return [{ ...parkedBehindKey(row) }];
    const reason = why.get(row.id);
    if (reason === undefined) return [];
    if (key !== null) waiting.add(key);
    return [{ row, state: 'retrying', error: `KAFKA_RECORD_REFUSED: ${reason}`, dueInMs }];
  });
}

/** Later rows of these keys wait from now on; what is aside is read anew before anything is tried. */
function adopt(hold: LaneHold, entries: readonly AsideEntry[]): void {
  hold.asideReadAtMs = null;
  for (const { row, state, dueInMs } of entries) {
    const { value, headers: _, ...rest } = row;
    const facts = {
      lane: hold.lane,
      state,
      attempts: 0,
      attemptToken: 0,
      waitsFor: null,
      dueInMs,
      valueBytes: value?.length ?? null,
    };
    const head: AsideHead = { ...rest, ...facts };
    if (row.key === null) hold.asideIds.set(row.id, head);
    else if (!hold.parked.has(keyText(row.key))) hold.parked.set(keyText(row.key), head);
  }
}

function say(options: SenderOptions, { lane }: LaneHold, entries: readonly AsideEntry[]): void {
  const refused = entries.filter(({ state }) => state === 'retrying');
  for (const [topic, group] of Map.groupBy(refused, ({ row }) => row.topic)) {
    const [{ row, error, dueInMs }] = group as [AsideEntry, ...AsideEntry[]];
    const facts = { lane, topic, rows: group.length, id: row.id, message: error, attempts: 0, delayMs: dueInMs };
    options.onEvent({ kind: 'rows-too-large', ...facts });
  }
}

/** One row with its payload; null: it fits, as far as is known. */
export async function misfitOf(session: ProducerSession, row: OutboxRow, hold: LaneHold): Promise<string | null> {
  const record = toRecord(row, hold);
  return (await session.misfits?.([record]))?.get(record) ?? null;
}
