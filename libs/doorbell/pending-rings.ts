/** Rings waiting to go out, merged: bounded by the number of lanes and sources, whatever the rate of ringing. */
import type { DoorbellRing } from '#outbox';

/** Sources that can wait at once; a ring for one more is dropped, which costs its listeners one poll interval. */
const SOURCES_MAX = 1024;

export interface PendingRings {
  add(ring: DoorbellRing): void;
  /** Everything waiting, merged; nothing waits afterwards. */
  take(): readonly DoorbellRing[];
}

function add(sources: Set<string>, source: string): void {
  if (sources.size < SOURCES_MAX) sources.add(source);
}

export function createPendingRings(): PendingRings {
  const rows = new Set<number>();
  const due = new Set<number>();
  const markers = new Set<number>();
  const leaderless = new Set<string>();
  const written = new Set<string>();
  let lanesChanged = false;

  return {
    add: (ring) => {
      if (ring.kind === 'rows') for (const lane of ring.lanes) rows.add(lane);
      else if (ring.kind === 'retry-due') for (const lane of ring.lanes) due.add(lane);
      else if (ring.kind === 'markers-due') for (const lane of ring.lanes) markers.add(lane);
      else if (ring.kind === 'lanes-changed') lanesChanged = true;
      else add(ring.kind === 'leader-gone' ? leaderless : written, ring.source);
    },
    take: () => {
      const rings: DoorbellRing[] = [...leaderless].map((source) => ({ kind: 'leader-gone', source }));
      for (const source of written) rings.push({ kind: 'source-rows', source });
      if (lanesChanged) rings.push({ kind: 'lanes-changed' });
      if (rows.size > 0) rings.push({ kind: 'rows', lanes: [...rows] });
      if (due.size > 0) rings.push({ kind: 'retry-due', lanes: [...due] });
      if (markers.size > 0) rings.push({ kind: 'markers-due', lanes: [...markers] });
      rows.clear();
      markers.clear();
      due.clear();
      leaderless.clear();
      written.clear();
      lanesChanged = false;
      return rings;
    },
  };
}
