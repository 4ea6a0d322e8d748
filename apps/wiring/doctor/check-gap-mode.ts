/** How missing ids are settled, what that promises, and what makes it better. */
import { RelayError } from '#runtime';
import { betterMode, promiseFor } from '../gap-mode-promise.ts';
import type { SourceFacts } from './facts.ts';
import { databaseCheck, fine, type Judgement, risky } from './finding.ts';

function judge({ source, tried }: SourceFacts): readonly Judgement[] {
  // What keeps the source from being read is said by `source-table`.
  if (tried instanceof RelayError) return [];
  const about = `source ${source.name}`;
  const { mode, reason } = tried.proof;
  const says = `${mode} (${reason}): ${promiseFor(source, mode, tried.graceMs)}`;
  const { graceWarning } = tried;
  const short = graceWarning === null ? [] : [risky(about, graceWarning, `unset SOURCE_GAP_GRACE of ${about}`)];
  if (mode === 'transactions') return [fine(about, says), ...short];
  const mend =
    source.gapMode === mode
      ? 'set SOURCE_GAP_MODE=auto, unless this engine needs it'
      : (betterMode(tried.proof) ??
        'run init and grant SELECT, INSERT on the canary table; where the server cannot do better, raise SOURCE_GAP_GRACE above the longest transaction');
  return [risky(about, says, mend), ...short];
}

export const gapMode = databaseCheck('gap-mode', 'how missing ids are settled, and what that promises', ({ sources }) =>
  sources.flatMap(judge),
);
