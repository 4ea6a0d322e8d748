/** The topics a source's rows go to: the fixed one, and those named in its topic column. */
import type { SourceConfig } from '#config';
import { type Pool, quoteIdentifier } from '#database';
import { RelayError } from '#runtime';

/** More topics than that in one column are a mistake in the settings rather than a design. */
const TOPICS_MAX = 1_000;

/** Fixed topics of the sources, each once. */
export function fixedTopics(sources: readonly SourceConfig[]): readonly string[] {
  return [...new Set(sources.flatMap(({ topic }) => (topic === null ? [] : [topic])))];
}

/** Topics named in the source's topic column, by a scan of the table; none without such a column. */
export async function namedTopics(pool: Pool, source: SourceConfig): Promise<readonly string[]> {
  if (source.topicColumn === null) return [];
  const column = quoteIdentifier(source.topicColumn);
  const rows = await pool.query<{ topic: string | Buffer }>(
    `SELECT DISTINCT ${column} AS topic FROM ${quoteIdentifier(source.table)} WHERE ${column} IS NOT NULL LIMIT ?`,
    [TOPICS_MAX + 1],
  );
  if (rows.length > TOPICS_MAX) {
    throw new RelayError(
      'CONFIG_INVALID',
      `column ${source.topicColumn} of ${source.table} names more than ${TOPICS_MAX} topics: too many to look at`,
    );
  }
  return rows.map(({ topic }) => topic.toString());
}
