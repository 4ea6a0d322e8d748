/** The verdict over all sources, and the line that other programs look for. */
import type { SourceCheck } from './delivery-check.ts';

export interface CheckTotals {
  readonly expected: number;
  readonly delivered: number;
  readonly missing: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly dead: number;
  readonly pending: number;
  /**
   * Every row that should be in Kafka is there once and in order. Rows still pending do not spoil it, unless there was
   * nothing else to compare: a relay that does not run has not passed.
   */
  readonly passed: boolean;
}

export function summarise(checks: readonly SourceCheck[]): CheckTotals {
  const sum = (numberOf: (check: SourceCheck) => number) => checks.reduce((total, check) => total + numberOf(check), 0);
  const totals = {
    expected: sum(({ expected }) => expected),
    delivered: sum(({ delivered }) => delivered),
    missing: sum(({ missing }) => missing.count),
    duplicated: sum(({ duplicated }) => duplicated.count),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder.count),
    dead: sum(({ dead }) => dead.count),
    pending: sum(({ pending }) => pending),
  };
  const clean = totals.missing + totals.duplicated + totals.outOfOrder === 0;
  const compared = totals.expected > 0 || totals.pending === 0;
  return { ...totals, passed: clean && compared && totals.delivered === totals.expected };
}

/** `delivered 200 of 200: 0 missing, 0 duplicated, 0 out of order`. */
export function summaryLine(totals: CheckTotals): string {
  const { delivered, expected, missing, duplicated, outOfOrder } = totals;
  return `delivered ${delivered} of ${expected}: ${missing} missing, ${duplicated} duplicated, ${outOfOrder} out of order`;
}
