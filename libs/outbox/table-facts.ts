/** What was last seen of a source's table, as texts for whatever database keeps it. Pure. */
import type { SampledRow, TableFacts } from './ports.ts';

export const NO_FACTS: TableFacts = { columns: null, mark: null, sample: null, next: null };

export interface TableFactsTexts {
  readonly delivered_columns: string | null;
  readonly mark: string | null;
  readonly sample: string | null;
  readonly next_position: string | null;
}

const jsonOf = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/** Positions as decimal texts: exact beyond 2^53. */
export function tableFactsToTexts({ columns, mark, sample, next }: TableFacts): TableFactsTexts {
  const rows = sample?.rows.map(({ position, key, hashes }) => [position.toString(), key, hashes.join(' ')]);
  return {
    delivered_columns: jsonOf(columns),
    mark: jsonOf(mark),
    sample: sample === null ? null : JSON.stringify({ columns: sample.columns, rows }),
    next_position: next === null ? null : next.toString(),
  };
}

export function tableFactsFromTexts(texts: TableFactsTexts): TableFacts {
  const sample = texts.sample === null ? null : JSON.parse(texts.sample);
  return {
    columns: texts.delivered_columns === null ? null : JSON.parse(texts.delivered_columns),
    mark: texts.mark === null ? null : JSON.parse(texts.mark),
    sample: sample === null ? null : { columns: sample.columns, rows: sample.rows.map(rowOf) },
    next: texts.next_position === null ? null : BigInt(texts.next_position),
  };
}

const rowOf = ([position, key, hashes]: [string, string | null, string]): SampledRow => ({
  position: BigInt(position),
  key,
  hashes: hashes === '' ? [] : hashes.split(' '),
});
