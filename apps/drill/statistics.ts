/** What the drill counts, by fault: the figures of the report. */

export interface FaultFigures {
  injected: number;
  kills: number;
  /** Rows that arrived from its beginning to the end of recovery. */
  delivered: number;
  lost: number;
  doubled: number;
  reordered: number;
  failures: number;
  readonly recoveriesMs: number[];
}

export interface Peak {
  rssMb: number;
  descriptors: number;
  /** The longest life of a process looked at. */
  ageMs: number;
}

const fresh = (): FaultFigures => ({
  ...{ injected: 0, kills: 0, delivered: 0, lost: 0, doubled: 0, reordered: 0, failures: 0 },
  recoveriesMs: [],
});

export class Statistics {
  readonly byFault = new Map<string, FaultFigures>();
  readonly peak: Peak = { rssMb: 0, descriptors: 0, ageMs: 0 };
  rounds = 0;
  cleanRounds = 0;
  /** Committed rows of all rounds that ended clean, each read from the beginning once more. */
  rows = 0;
  /** Times two faults were in force at once. */
  overlaps = 0;

  of(name: string): FaultFigures {
    const known = this.byFault.get(name);
    if (known !== undefined) return known;
    const figures = fresh();
    this.byFault.set(name, figures);
    return figures;
  }

  used(usages: readonly { rssMb: number; descriptors: number; ageMs: number }[]): void {
    for (const { rssMb, descriptors, ageMs } of usages) {
      this.peak.rssMb = Math.max(this.peak.rssMb, rssMb);
      this.peak.descriptors = Math.max(this.peak.descriptors, descriptors);
      this.peak.ageMs = Math.max(this.peak.ageMs, ageMs);
    }
  }

  get totals(): FaultFigures {
    const total = fresh();
    for (const figures of this.byFault.values()) {
      for (const name of ['injected', 'kills', 'delivered', 'lost', 'doubled', 'reordered', 'failures'] as const) {
        total[name] += figures[name];
      }
      total.recoveriesMs.push(...figures.recoveriesMs);
    }
    return total;
  }
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
