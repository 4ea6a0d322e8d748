/** By lock probe, proven with a canary row, or by waiting. */
import { gapGraceMs } from '#config';
import { RelayError } from '#runtime';
import type { SourceFacts } from './facts.ts';
import { databaseCheck, fine, type Judgement, risky } from './finding.ts';

const UNCERTAIN = 'a transaction open for longer loses its rows';

function judge({ source, tried }: SourceFacts): readonly Judgement[] {
  // What keeps the source from being read is said by `source-table`.
  if (tried instanceof RelayError) return [];
  const about = `source ${source.name}`;
  const { mode, reason } = tried.proof;
  if (mode === 'locks') return [fine(about, `locks, ${reason}`)];
  const graceSeconds = gapGraceMs(source, mode) / 1000;
  const says = `time (${reason}): a missing id counts as never used after ${graceSeconds} s, and ${UNCERTAIN}`;
  if (source.gapMode === 'time') return [risky(about, says, 'set SOURCE_GAP_MODE=auto, unless this engine needs time')];
  return [
    risky(
      about,
      says,
      'run init and grant SELECT, INSERT on the canary table; on an engine without row locks raise SOURCE_GAP_GRACE',
    ),
  ];
}

export const gapMode = databaseCheck(
  'gap-mode',
  'how missing ids are settled: the lock probe, proven by a canary row',
  ({ sources }) => sources.flatMap(judge),
);
