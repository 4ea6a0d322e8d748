/** What the tables tell of rows that do not move: pure, so that processes, `status` and `doctor` judge alike. */
import type { AsideState, LaneBacklog, LaneRow, MemberKind, MemberStatus } from '#outbox';
import type { Stall } from '#runtime';
import type { WaitingTarget } from './waiting-targets.ts';

export interface SourceLook {
  readonly name: string;
  readonly leader: string | null;
  /** Why an operator is waited for; null while the source runs. */
  readonly halted: string | null;
  /** False: it is known that no row of the table waits. */
  readonly mayWait: boolean;
}

export interface RelayLook {
  readonly sources: readonly SourceLook[];
  readonly lanes: readonly Pick<LaneRow, 'lane' | 'state' | 'why' | 'holder' | 'leaseExpired' | 'deliveredId'>[];
  readonly backlog: readonly Pick<LaneBacklog, 'lane' | 'source' | 'rows' | 'oldestAgeMs'>[];
  readonly members: readonly MemberStatus[];
  readonly aside: Readonly<Record<AsideState, number>>;
  /** Topics and partitions that take nothing, of which rows are set aside. */
  readonly waiting?: readonly WaitingTarget[];
}

/** Who was not heard of for so long does not live: writers beat every 2 s, senders at least every 3 s. */
export const SILENT_MS = 12_000;

export const livingOf = (members: readonly MemberStatus[], kind: MemberKind): ReadonlySet<string> =>
  new Set(members.filter((member) => member.kind === kind && member.silentMs < SILENT_MS).map(({ id }) => id));

/** `fromMs`: rows that wait for less are left out. */
export function judgeLook(look: RelayLook, fromMs: number): readonly Stall[] {
  return [...judgeSources(look), ...judgeLanes(look, fromMs), ...judgeAside(look)];
}

function judgeSources({ sources, members }: RelayLook): readonly Stall[] {
  const writers = livingOf(members, 'writer');
  return sources.flatMap(({ name, leader, halted, mayWait }): readonly Stall[] => {
    const part = `source ${name}`;
    if (halted !== null) return [{ cause: 'source-halted', part, rows: null, forMs: null, fault: halted }];
    if (!mayWait || (leader !== null && writers.has(leader))) return [];
    const known = `${writers.size === 0 ? 'no writer lives' : `writers that live: ${writers.size}`}`;
    const last = leader === null ? '' : `, the last leader was ${leader}`;
    return [{ cause: 'no-leader', part, rows: null, forMs: null, fault: `${known}${last}` }];
  });
}

function judgeLanes({ lanes, backlog, members }: RelayLook, fromMs: number): readonly Stall[] {
  const senders = livingOf(members, 'sender');
  const isWaitedFor = livingOf(members, 'waiting').size > 0;
  const waiting = new Map(backlog.map((each) => [each.lane, each]));
  const stalls: Stall[] = [];
  let unserved = 0;
  let oldestMs = 0;
  for (const { lane, state, why, holder, leaseExpired } of lanes) {
    const { rows = 0, oldestAgeMs = null } = waiting.get(lane) ?? {};
    const found = { part: `lane ${lane}`, rows, forMs: oldestAgeMs };
    if (state === 'halted') stalls.push({ ...found, cause: 'lane-halted', fault: why });
    if (state === 'halted' || rows === 0 || (oldestAgeMs ?? 0) < fromMs) continue;
    if (state === 'paused') stalls.push({ ...found, cause: 'lane-paused', fault: why });
    else if (senders.size === 0 && !isWaitedFor) {
      unserved += rows;
      oldestMs = Math.max(oldestMs, oldestAgeMs ?? 0);
    } else if (holder === null || leaseExpired || !senders.has(holder)) {
      const fault = holder === null ? 'nobody has taken it' : `its last holder was ${holder}`;
      stalls.push({ ...found, cause: 'lane-not-held', fault });
    }
  }
  if (unserved === 0) return stalls;
  return [...stalls, { cause: 'no-sender', part: 'senders', rows: unserved, forMs: oldestMs, fault: null }];
}

function judgeAside({ aside: { retrying, parked, dead } }: RelayLook): readonly Stall[] {
  const stalls: Stall[] = [];
  const part = 'rows set aside';
  if (retrying + parked > 0) {
    const fault = `${retrying} retried, ${parked} behind rows of their keys`;
    stalls.push({ cause: 'row-refused', part, rows: retrying + parked, forMs: null, fault });
  }
  if (dead > 0) stalls.push({ cause: 'dead-letters', part, rows: dead, forMs: null, fault: null });
  return stalls;
}

/** The worst first: what a process itself met says more than what the tables show of the same part. */
export function mergeStalls(lists: readonly (readonly Stall[])[]): readonly Stall[] {
  const merged = new Map<string, Stall>();
  for (const stall of lists.flat()) {
    const key = `${stall.part} ${stall.cause}`;
    if (!merged.has(key)) merged.set(key, stall);
  }
  return [...merged.values()];
}
