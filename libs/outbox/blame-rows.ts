/**
 * Finds the row behind a row fault: suspected lanes are delivered alone, in ever smaller batches, until one row is alone.
 * Pure on the holds; the other lanes go on meanwhile.
 */
import type { LaneHold } from './lane-hold.ts';
import type { TransactionPlan } from './plan-transaction.ts';
import type { DeliveryFaultScope, OutboxRow } from './ports.ts';

/** The culprit when it is certain; otherwise null, and the suspected lanes are on probation. */
export function blame(
  plan: TransactionPlan,
  scope: DeliveryFaultScope | null,
): { hold: LaneHold; row: OutboxRow } | null {
  const sentLanes = plan.lanes.filter((hold) => (plan.sent.get(hold.lane) ?? []).length > 0);
  const named =
    scope === null
      ? []
      : sentLanes.filter((hold) => plan.sent.get(hold.lane)?.some((row) => row.topic === scope.topic));
  const suspects = named.length > 0 ? named : sentLanes;
  const [only] = suspects;
  if (suspects.length === 1 && only !== undefined) {
    const rows = plan.sent.get(only.lane) ?? [];
    const [row] = rows;
    if (rows.length === 1 && row !== undefined) return { hold: only, row };
    only.probation = {
      rowsMax: Math.max(1, Math.floor(rows.length / 2)),
      untilId: probationEnd(only, plan),
    };
    return null;
  }
  for (const hold of suspects) {
    const rows = plan.sent.get(hold.lane) ?? [];
    hold.probation = {
      rowsMax: Math.max(1, rows.length),
      untilId: probationEnd(hold, plan),
    };
  }
  return null;
}

/** A delivered batch clears a lane that got past what was suspected, and otherwise lets it take longer steps again. */
export function acquit(hold: LaneHold): void {
  if (hold.probation === null) return;
  if (hold.marker >= hold.probation.untilId) hold.probation = null;
  else hold.probation = { ...hold.probation, rowsMax: hold.probation.rowsMax * 2 };
}

const probationEnd = (hold: LaneHold, plan: TransactionPlan): number =>
  Math.max(plan.lastIds.get(hold.lane) ?? 0, hold.probation?.untilId ?? 0);
