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

export function logGapMode(logger: Logger, source: SourceConfig, proof: GapModeProof, graceMs: number): void {
  const { mode, reason } = proof;
  const better = betterMode(proof);
  const facts = { source: source.name, gapMode: mode, reason, graceMs, ...(better === null ? {} : { better }) };
  const line = `gap mode ${mode}: ${promiseFor(source, mode, graceMs)}`;
  if (mode === 'transactions') logger.info(facts, line);
  else logger.warn(facts, line);
}
