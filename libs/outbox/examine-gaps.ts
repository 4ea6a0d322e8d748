/**
 * Evidence for open gaps: the lock probe where the engine proves it, patience where it does not (I1).
 *
 * Gaps are probed many at a time, in one statement: most are rollbacks, and one empty answer speaks for all of them. Only a
 * group with a row in it is split. Probed one by one, a slow database settled fewer gaps than the application opened; the
 * writer read ever more ranges with every batch and stood still in the end.
 */
import type { Clock } from '#runtime';
import type { Gap, GapSet } from './gap-set.ts';
import type { ProbeOutcome, SourceReader } from './ports.ts';

export interface ExamineGapsOptions {
  readonly reader: SourceReader;
  readonly clock: Clock;
  /** Between the first empty probe and the one that closes; in mode `time`, how long a gap stays open. */
  readonly gapGraceMs: number;
  /** Probes a call at most, so that gaps never starve fresh rows. */
  readonly probesMax: number;
  readonly onClosed: (gap: Gap) => void;
}

interface Probed {
  readonly outcome: ProbeOutcome;
  readonly startedMs: number;
  readonly doneMs: number;
}

const LOCKED_PROBE_MS = { min: 50, max: 1000 };
/** Positions asked for in one statement. */
const GROUP_POSITIONS_MAX = 100n;
/** Gaps looked at in a call: what the probes of one call can settle when every answer is empty. */
const GAPS_PER_PROBE_MAX = 100;
/** Empty probes come this many times in a grace. */
const PROBES_PER_GRACE = 2;
/**
 * Two empty probes further apart than so many graces do not belong together: server or writer may have stood still in
 * between, and an insert that stood still with its id taken and its row not yet locked needs live time, not just time.
 */
const APART_GRACES_MAX = 2;

/** Probes gaps that are due and takes out those proven dead. Rows that committed late must have been taken out before. */
export async function examineGaps(options: ExamineGapsOptions, gaps: GapSet, readStartedMs: number): Promise<GapSet> {
  const changes =
    options.reader.gapMode === 'locks'
      ? await probeDue(options, gaps, readStartedMs)
      : outwaitDue(gaps, readStartedMs, options.gapGraceMs);
  for (const [gap, changed] of changes) if (changed === null) options.onClosed(gap);
  return gaps.change(changes);
}

/** Null: the gap is closed. */
type Changes = Map<Gap, Gap | null>;

async function probeDue(options: ExamineGapsOptions, gaps: GapSet, readStartedMs: number): Promise<Changes> {
  const { reader, clock, gapGraceMs, probesMax } = options;
  const changes: Changes = new Map();
  const groups = groupsOf(gaps.due(readStartedMs, probesMax * GAPS_PER_PROBE_MAX));
  for (let probes = 0; probes < probesMax; probes += 1) {
    const group = groups.shift();
    if (group === undefined) break;
    const startedMs = clock.nowMs();
    const outcome = await reader.probe(...group.map(({ from, to }) => ({ from, to })));
    const probed = { outcome, startedMs, doneMs: clock.nowMs() };
    if (outcome === 'empty' || group.length === 1) {
      for (const gap of group) changes.set(gap, judge(gap, probed, gapGraceMs));
      continue;
    }
    const half = Math.ceil(group.length / 2);
    groups.unshift(group.slice(0, half), group.slice(half));
  }
  return changes;
}

/** Gaps that were locked at their last probe go alone: they would only spoil a group. */
function groupsOf(due: readonly Gap[]): Gap[][] {
  const groups: Gap[][] = [];
  let group: Gap[] = [];
  let positions = 0n;
  for (const gap of due) {
    const size = gap.to - gap.from + 1n;
    if (gap.lockedProbes > 0 || size > GROUP_POSITIONS_MAX) {
      groups.push([gap]);
      continue;
    }
    if (positions + size > GROUP_POSITIONS_MAX) {
      groups.push(group);
      group = [];
      positions = 0n;
    }
    group.push(gap);
    positions += size;
  }
  return group.length === 0 ? groups : [...groups, group];
}

/** Null: empty through a whole grace in which the probes kept coming, so the range is rolled back or was never used. */
function judge(gap: Gap, { outcome, startedMs, doneMs }: Probed, gapGraceMs: number): Gap | null {
  if (outcome === 'rows') return { ...gap, emptySinceMs: null, emptyAtMs: null, probeAtMs: doneMs, lockedProbes: 0 };
  if (outcome === 'locked') {
    const paceMs = Math.min(LOCKED_PROBE_MS.max, LOCKED_PROBE_MS.min * 2 ** Math.min(gap.lockedProbes, 10));
    const lockedProbes = gap.lockedProbes + 1;
    return { ...gap, emptySinceMs: null, emptyAtMs: null, probeAtMs: doneMs + paceMs, lockedProbes };
  }
  const unbroken = gap.emptyAtMs !== null && doneMs - gap.emptyAtMs <= gapGraceMs * APART_GRACES_MAX;
  const emptySinceMs = unbroken ? gap.emptySinceMs : null;
  if (emptySinceMs !== null && startedMs - emptySinceMs >= gapGraceMs) return null;
  return {
    ...gap,
    emptySinceMs: emptySinceMs ?? doneMs,
    emptyAtMs: doneMs,
    probeAtMs: doneMs + gapGraceMs / PROBES_PER_GRACE,
    lockedProbes: 0,
  };
}

/** Mode `time`: closed when the range was read, without a row, after the whole grace had passed. */
function outwaitDue(gaps: GapSet, readStartedMs: number, gapGraceMs: number): Changes {
  const changes: Changes = new Map();
  for (const gap of gaps.due(readStartedMs, Number.POSITIVE_INFINITY)) {
    const closesAtMs = gap.seenAtMs + gapGraceMs;
    changes.set(gap, readStartedMs >= closesAtMs ? null : { ...gap, probeAtMs: closesAtMs });
  }
  return changes;
}
