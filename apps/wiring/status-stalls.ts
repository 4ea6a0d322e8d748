/** What stands, as `status` and `doctor` tell it: what processes that live have met, and what the tables show besides. */
import type { AsideState, MemberStatus } from '#outbox';
import type { Stall } from '#runtime';
import { judgeLook, mergeStalls, SILENT_MS, type SourceLook } from './judge-stalls.ts';
import type { LaneStatus } from './read-lanes.ts';

interface Known {
  readonly sources: readonly (Omit<SourceLook, 'mayWait'> & {
    readonly watermark: bigint | null;
    readonly highest: bigint | null;
    readonly distance: bigint | null;
  })[];
  readonly lanes: readonly LaneStatus[];
  readonly members: readonly MemberStatus[];
  readonly aside: Readonly<Record<AsideState, number>>;
}

/** `fromMs`: rows that wait for less are left out. */
export function statusStalls({ sources, lanes, members, aside }: Known, fromMs: number): readonly Stall[] {
  const reported = members.filter(({ silentMs }) => silentMs < SILENT_MS).map(({ stalls }) => stalls);
  const look = {
    sources: sources.map(({ name, leader, halted, distance, highest, watermark }) => {
      const isEmpty = watermark === null ? highest === null : distance === 0n;
      return { name, leader, halted, mayWait: !isEmpty };
    }),
    lanes: lanes.map((lane) => ({ ...lane, leaseExpired: lane.lease === 'lapsed' })),
    backlog: lanes.map(({ lane, source, backlog: rows, oldestAgeMs }) => ({ lane, source, rows, oldestAgeMs })),
    members,
    aside,
  };
  return mergeStalls([...reported, judgeLook(look, fromMs)]);
}
