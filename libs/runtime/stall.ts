/** Something that stands: what the relay knows of rows that wait and do not move, in one form for whoever tells of it. */
import { isStallCause, STALL_CAUSES, type StallCause } from './stall-causes.ts';

/** A part of the relay whose rows wait, and none of them moved for a time. */
export interface Stall {
  readonly cause: StallCause;
  /** `sender`, `source NAME`, `lane N`, `topic NAME`, `senders`, `rows set aside`. */
  readonly part: string;
  /** Rows that wait; null where they are not counted. */
  readonly rows: number | null;
  /** Null: not known. */
  readonly forMs: number | null;
  /** The last fault in its own words, or what else is known; null without any. */
  readonly fault: string | null;
}

const FAULT_LENGTH_MAX = 300;
/** What one process tells of at most, the first being the worst. */
const STALLS_MAX = 20;

/** One line: part, how long, cause, fault, what to do. */
export const explainStall = (stall: Stall): string =>
  `${stall.part}: ${whyStanding(stall)}; ${STALL_CAUSES[stall.cause].todo}`;

/** The same without the part and what to do, for those who show them apart. */
export function whyStanding(stall: Stall): string {
  const { cause, fault } = stall;
  const last = fault === null ? '' : ` (${fault})`;
  return `${standing(stall)}: ${cause}: ${STALL_CAUSES[cause].says}${last}`;
}

function standing({ rows, forMs }: Stall): string {
  const what = rows === null ? 'nothing moves' : `${rows} row${rows === 1 ? ' waits' : 's wait'}`;
  return forMs === null ? what : `${what} for ${Math.floor(forMs / 1_000)} s`;
}

/** For the table of members; null: nothing stands. */
export function writeStalls(stalls: readonly Stall[]): string | null {
  if (stalls.length === 0) return null;
  const cut = (text: string | null) => text?.slice(0, FAULT_LENGTH_MAX).toWellFormed() ?? null;
  return JSON.stringify(stalls.slice(0, STALLS_MAX).map((stall) => ({ ...stall, fault: cut(stall.fault) })));
}

/** What `writeStalls` wrote; what another version wrote, and cannot be read here, is left out. */
export function readStalls(text: string | null): readonly Stall[] {
  if (text === null) return [];
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found)
      ? found.flatMap((each) => readStall(each as Partial<Record<keyof Stall, unknown>>))
      : [];
  } catch {
    return [];
  }
}

function readStall(found: Partial<Record<keyof Stall, unknown>> | null): readonly Stall[] {
  if (found === null || !isStallCause(found.cause) || typeof found.part !== 'string') return [];
  const number = (value: unknown) => (typeof value === 'number' ? value : null);
  const fault = typeof found.fault === 'string' ? found.fault : null;
  return [{ cause: found.cause, part: found.part, rows: number(found.rows), forMs: number(found.forMs), fault }];
}
