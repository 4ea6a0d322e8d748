/** What the drill counts, by fault: the figures of the report. Kept in a file between runs, if wished. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

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
  /** Waits for rows that nothing ailed, while it lasted. */
  readonly flowsMs: number[];
}

export interface Peak {
  rssMb: number;
  descriptors: number;
  /** The longest life of a process looked at. */
  ageMs: number;
}

/** A run of the drill that the figures come from. */
export interface RunRecord {
  readonly command: string;
  readonly seed: number;
  readonly minutes: number;
  /** Short, of the code that ran. */
  readonly commit: string;
}

export interface FailureRecord {
  readonly during: string;
  /** Its first line. */
  readonly why: string;
  readonly rerun: string;
}

export interface Figures {
  readonly byFault: Record<string, FaultFigures>;
  readonly peak: Peak;
  rounds: number;
  cleanRounds: number;
  /** Committed rows of all rounds that ended clean, each read from the beginning once more. */
  rows: number;
  /** Times two faults were in force at once. */
  overlaps: number;
  readonly runs: RunRecord[];
  readonly failures: FailureRecord[];
}

const COUNTS = ['injected', 'kills', 'delivered', 'lost', 'doubled', 'reordered', 'failures'] as const;

const fresh = (): FaultFigures => ({
  ...{ injected: 0, kills: 0, delivered: 0, lost: 0, doubled: 0, reordered: 0, failures: 0 },
  recoveriesMs: [],
  flowsMs: [],
});

const nothing = (): Figures => ({
  ...{ byFault: {}, peak: { rssMb: 0, descriptors: 0, ageMs: 0 } },
  ...{ rounds: 0, cleanRounds: 0, rows: 0, overlaps: 0, runs: [], failures: [] },
});

export class Statistics {
  readonly figures: Figures;
  readonly #file: string | null;

  /** Goes on with what the file holds, if it is there. */
  constructor(file: string | null = null) {
    this.#file = file;
    this.figures = file !== null && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Figures) : nothing();
  }

  /** Counts in what another run has kept. */
  add(file: string): void {
    const other = JSON.parse(readFileSync(file, 'utf8')) as Figures;
    for (const [name, { recoveriesMs, flowsMs, ...counts }] of Object.entries(other.byFault)) {
      const figures = this.of(name);
      for (const count of COUNTS) figures[count] += counts[count];
      figures.recoveriesMs.push(...recoveriesMs);
      figures.flowsMs.push(...flowsMs);
    }
    this.used([other.peak]);
    for (const count of ['rounds', 'cleanRounds', 'rows', 'overlaps'] as const) this.figures[count] += other[count];
    this.figures.runs.push(...other.runs);
    this.figures.failures.push(...other.failures);
  }

  save(): void {
    if (this.#file !== null) writeFileSync(this.#file, `${JSON.stringify(this.figures, null, 1)}\n`);
  }

  of(name: string): FaultFigures {
    this.figures.byFault[name] ??= fresh();
    return this.figures.byFault[name];
  }

  used(usages: readonly Peak[]): void {
    const { peak } = this.figures;
    for (const { rssMb, descriptors, ageMs } of usages) {
      peak.rssMb = Math.max(peak.rssMb, rssMb);
      peak.descriptors = Math.max(peak.descriptors, descriptors);
      peak.ageMs = Math.max(peak.ageMs, ageMs);
    }
  }

  get totals(): FaultFigures {
    return totalsOf(this.figures);
  }
}

export function totalsOf({ byFault }: Figures): FaultFigures {
  const total = fresh();
  for (const figures of Object.values(byFault)) {
    for (const name of COUNTS) {
      total[name] += figures[name];
    }
    total.recoveriesMs.push(...figures.recoveriesMs);
    total.flowsMs.push(...figures.flowsMs);
  }
  return total;
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
