/**
 * A writer's life with one source, as a table over what it reports: total by type, so a new state or event does not compile
 * before every cell is thought of. `illegal` never happens; the simulation watches (I8).
 */
import type { WriterEvent } from './events.ts';

/** `elected`: has the lock, has not raised the epoch. `leading`: may append. `doubtful`: a commit's answer was lost. */
export type TermState = 'standby' | 'elected' | 'leading' | 'doubtful' | 'halted';

type TermMoves = Readonly<Record<WriterEvent['kind'], TermState | 'illegal'>>;

/** By what the election goes on is told at any time. */
const electionIn = <State extends TermState>(state: State) => ({
  'election-waits': state,
  'election-fallback': state,
  'election-restored': state,
});

const NOTHING_YET = {
  'term-begun': 'illegal',
  'lanes-differ': 'illegal',
  moved: 'illegal',
  'gaps-opened': 'illegal',
  'gaps-closed': 'illegal',
  'gaps-held': 'illegal',
  'gaps-at-bound': 'illegal',
  'went-back': 'illegal',
  'commit-unknown': 'illegal',
  'column-type-changed': 'illegal',
} as const;

export const TERM_MOVES: Readonly<Record<TermState, TermMoves>> = {
  standby: {
    ...electionIn('standby'),
    ...NOTHING_YET,
    'standing-by': 'standby',
    elected: 'elected',
    'term-ended': 'illegal',
    // After the term that the fault ended.
    'writer-retry': 'standby',
    'source-halted': 'halted',
    'source-resumed': 'illegal',
  },
  elected: {
    ...electionIn('elected'),
    ...NOTHING_YET,
    'standing-by': 'illegal',
    elected: 'illegal',
    'term-begun': 'leading',
    'term-ended': 'standby',
    'writer-retry': 'illegal',
    'source-halted': 'illegal',
    'source-resumed': 'illegal',
  },
  leading: {
    ...electionIn('leading'),
    'standing-by': 'illegal',
    elected: 'illegal',
    'term-begun': 'illegal',
    'lanes-differ': 'leading',
    moved: 'leading',
    'gaps-opened': 'leading',
    'gaps-closed': 'leading',
    'gaps-held': 'leading',
    'gaps-at-bound': 'leading',
    'went-back': 'leading',
    'commit-unknown': 'doubtful',
    'column-type-changed': 'leading',
    'term-ended': 'standby',
    'writer-retry': 'illegal',
    'source-halted': 'illegal',
    'source-resumed': 'illegal',
  },
  doubtful: {
    ...electionIn('doubtful'),
    'standing-by': 'illegal',
    elected: 'illegal',
    'term-begun': 'illegal',
    'lanes-differ': 'illegal',
    // The watermark row said that the commit had happened.
    moved: 'leading',
    'gaps-opened': 'leading',
    'gaps-closed': 'leading',
    'gaps-held': 'illegal',
    'gaps-at-bound': 'illegal',
    'went-back': 'illegal',
    'commit-unknown': 'illegal',
    'column-type-changed': 'illegal',
    'term-ended': 'standby',
    'writer-retry': 'illegal',
    'source-halted': 'illegal',
    'source-resumed': 'illegal',
  },
  halted: {
    ...electionIn('halted'),
    ...NOTHING_YET,
    'standing-by': 'illegal',
    elected: 'illegal',
    'term-ended': 'illegal',
    'writer-retry': 'illegal',
    'source-halted': 'illegal',
    'source-resumed': 'standby',
  },
};
