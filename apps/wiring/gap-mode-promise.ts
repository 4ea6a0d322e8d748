/** What each gap mode promises, in one line: for the log, `init`, `config check`, `status` and `doctor`. */
import type { SourceConfig } from '#config';
import type { Logger } from '#runtime';
import type { GapModeProof, ServerGapMode } from '#source-polling';

const PROMISES: Readonly<Record<ServerGapMode, (graceSeconds: number) => string>> = {
  transactions: () => 'no committed row is lost, however long its transaction or its statement takes',
  locks: (grace) =>
    `a row is lost when its statement puts it into the table more than ${grace} s after taking its id, or takes it out and puts it in again`,
  time: (grace) => `a row is lost when its transaction commits more than ${grace} s after taking its id`,
};

export const promiseOf = (mode: ServerGapMode, graceMs: number): string => PROMISES[mode](graceMs / 1_000);

/** The mode with its reason; null for the statement when nothing makes it better. */
export const betterMode = ({ mode, betterBy }: GapModeProof): string | null =>
  betterBy === null || mode === 'transactions' ? null : `${betterBy} makes the promise unconditional`;

/** Rows that are moved are gone from the table (mode `consume`): one below the position is found by looking, in every mode. */
const CONSUMED = 'rows are found in every gap mode; a row found late may change its place in the order of its key';

export function promiseFor(source: Pick<SourceConfig, 'mode'>, mode: ServerGapMode, graceMs: number): string {
  return source.mode === 'consume' && mode !== 'transactions' ? CONSUMED : promiseOf(mode, graceMs);
}

/** On a busy server a transaction may take so long from taking an id to its place in the list. */
const SHOWN_MIN_MS = 200;

/** What a grace that is too short costs; null when it is long enough. `neededMs`: what the mode needs on this server and table. */
export function graceWarning(mode: ServerGapMode, graceMs: number, neededMs: number): string | null {
  const is = `SOURCE_GAP_GRACE is ${graceMs / 1_000} s`;
  if (mode === 'transactions' && graceMs < SHOWN_MIN_MS) {
    return `${is}: a transaction that takes an id and is listed later than that loses its rows; leave it unset (${neededMs / 1_000} s), or set ${SHOWN_MIN_MS / 1_000} at least`;
  }
  if (mode === 'locks' && graceMs < neededMs) {
    return `${is}: a statement may wait for locks for longer before its row is in its place, and lose it; leave it unset, or set ${neededMs / 1_000} at least (innodb_lock_wait_timeout for each index that the row comes to first, and 10 s)`;
  }
  return null;
}

/** `neededMs`: the grace that the mode needs on this server and table. */
export function logGapMode(logger: Logger, source: SourceConfig, proof: GapModeProof, neededMs: number): void {
  const { mode, reason } = proof;
  const better = betterMode(proof);
  const graceMs = source.gapGraceMs ?? neededMs;
  const facts = { source: source.name, gapMode: mode, reason, graceMs, ...(better === null ? {} : { better }) };
  const line = `gap mode ${mode}: ${promiseFor(source, mode, graceMs)}`;
  if (mode === 'transactions') logger.info(facts, line);
  else logger.warn(facts, better === null ? line : `${line}; ${better}`);
  const warning = graceWarning(mode, graceMs, neededMs);
  if (warning !== null) logger.warn({ source: source.name, graceMs }, warning);
}
