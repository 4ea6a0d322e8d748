/** Evidence for open gaps: the lock probe where the engine proves it, patience where it does not (I1). */
import type { Clock } from '#runtime';
import type { Gap, GapSet } from './gap-set.ts';
import type { SourceReader } from './ports.ts';

export interface ExamineGapsOptions {
  readonly reader: SourceReader;
  readonly clock: Clock;
  /** Between the first empty probe and the one that closes; in mode `time`, how long a gap stays open. */
  readonly gapGraceMs: number;
  /** Probes a call at most, so that gaps never starve fresh rows. */
  readonly probesMax: number;
  readonly onClosed: (gap: Gap) => void;
}

const LOCKED_PROBE_MS = { min: 50, max: 1000 };

/** Probes gaps that are due and takes out those proven dead. Rows that committed late must have been taken out before. */
export async function examineGaps(options: ExamineGapsOptions, gaps: GapSet, readStartedMs: number): Promise<GapSet> {
  let examined = gaps;
  for (const gap of gaps.due(readStartedMs, options.probesMax)) {
    const changed =
      options.reader.gapMode === 'locks'
        ? await probe(options, gap)
        : outwaited(gap, readStartedMs, options.gapGraceMs);
    examined = changed === null ? examined.close(gap) : examined.replace(gap, changed);
    if (changed === null) options.onClosed(gap);
  }
  return examined;
}

/** Null: two empty probes a grace apart, so the range is rolled back or was never used. */
async function probe({ reader, clock, gapGraceMs }: ExamineGapsOptions, gap: Gap): Promise<Gap | null> {
  const startedMs = clock.nowMs();
  const outcome = await reader.probe({ from: gap.from, to: gap.to });
  const doneMs = clock.nowMs();
  if (outcome === 'rows') return { ...gap, emptySinceMs: null, probeAtMs: doneMs, lockedProbes: 0 };
  if (outcome === 'locked') {
    const paceMs = Math.min(LOCKED_PROBE_MS.max, LOCKED_PROBE_MS.min * 2 ** Math.min(gap.lockedProbes, 10));
    return { ...gap, emptySinceMs: null, probeAtMs: doneMs + paceMs, lockedProbes: gap.lockedProbes + 1 };
  }
  if (gap.emptySinceMs !== null && startedMs - gap.emptySinceMs >= gapGraceMs) return null;
  const emptySinceMs = gap.emptySinceMs ?? doneMs;
  return { ...gap, emptySinceMs, probeAtMs: emptySinceMs + gapGraceMs, lockedProbes: 0 };
}

/** Mode `time`: null when the range was read, without a row, after the whole grace had passed. */
function outwaited(gap: Gap, readStartedMs: number, gapGraceMs: number): Gap | null {
  const closesAtMs = gap.seenAtMs + gapGraceMs;
  return readStartedMs >= closesAtMs ? null : { ...gap, probeAtMs: closesAtMs };
}
