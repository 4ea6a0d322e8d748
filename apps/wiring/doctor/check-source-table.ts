/** Can the source's table be followed: column, index, primary key, and a row read from it? */
import { RelayError } from '#runtime';
import type { SourceFacts } from './facts.ts';
import { broken, databaseCheck, fine, type Judgement, risky } from './finding.ts';

function judge({ source, tried }: SourceFacts): readonly Judgement[] {
  const about = `source ${source.name}`;
  if (tried instanceof RelayError) return [broken(about, tried.message, 'see the message; config check says the same')];
  const rows = tried.highest === null ? 'no rows yet' : `highest ${source.watermarkColumn} ${tried.highest}`;
  const warnings = tried.warnings.map((warning) => risky(about, warning, 'see the message'));
  return [fine(about, `table ${source.table}, ${rows}`), ...warnings];
}

export const sourceTable = databaseCheck(
  'source-table',
  'columns, index and primary key of each source, and a row of it',
  ({ sources }) => sources.flatMap(judge),
);
