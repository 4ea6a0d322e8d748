/** The part of the report about open gaps. */

import { fixed, heading, integer, row } from './markdown.ts';
import type { GapsResult } from './measure-gaps.ts';
import { nameOfGaps, type Round } from './run-all.ts';
import { median } from './statistics.ts';

export function gapsSection(rounds: readonly Round[]): string[] {
  const names = rounds[0]?.gaps.map(nameOfGaps) ?? [];
  if (names.length === 0) return [];
  return [
    '## Open gaps',
    '',
    'A transaction that has written stays open, so that no gap can close. A writer starts with so many ids missing below its',
    'position and moves rows that wait; each case is taken to a table without gaps, measured just before and just after it. Single',
    'holes: of every three ids one is missing, by chance the first or the second. Old table: read from its start, with nothing that',
    'keeps its gaps open. Rows/s are those from 2.5 s after the first append on: before, all gaps are read,',
    'twice or more. Late: from the commit of a transaction whose row others have overtaken to the append of the row, median and',
    'maximum, its gap being less than a second old (young) or more than ten (old). With many single holes a late row needs a list of',
    'the running transactions that is younger than it, and the server renews that list every 0.1 s at most.',
    '',
    ...heading(
      '',
      'rows/s',
      'to no gaps',
      'µs CPU a row',
      'µs append a row',
      'start to first append, ms',
      'late ms, young',
      'late ms, old',
    ),
    ...names.map((name, index) => {
      const all = rounds.map(({ gaps }) => gaps[index] as GapsResult);
      const middle = (of: (each: GapsResult) => number) => median(all.map(of));
      return row(
        name,
        integer(middle(({ rowsPerSecond }) => rowsPerSecond)),
        fixed(
          middle(({ toDense }) => toDense),
          2,
        ),
        fixed(
          middle(({ cpuUsPerRow }) => cpuUsPerRow),
          1,
        ),
        fixed(
          middle(({ appendUsPerRow }) => appendUsPerRow),
          1,
        ),
        integer(middle(({ startMs }) => startMs)),
        middleAndMost(all.flatMap(({ youngMs }) => youngMs)),
        middleAndMost(all.flatMap(({ oldMs }) => oldMs)),
      );
    }),
    '',
  ];
}

const middleAndMost = (valuesMs: readonly number[]): string =>
  valuesMs.length === 0 ? '' : `${integer(median(valuesMs))}, ${integer(Math.max(...valuesMs))}`;
