/** The topics a source's rows go to: the fixed one, and those named in its topic column. */
import type { SourceConfig } from '#config';
import { type Pool, quoteIdentifier } from '#database';
import type { TopicAdmin } from '#kafka-delivery';
import type { SenderStore } from '#outbox';
import { RelayError } from '#runtime';

/** More topics than that are a mistake in the settings rather than a design. */
const TOPICS_MAX = 1_000;

/** Fixed topics of the sources, each once. */
export function fixedTopics(sources: readonly SourceConfig[]): readonly string[] {
  return [...new Set(sources.flatMap(({ topic }) => (topic === null ? [] : [topic])))];
}

/**
 * Topics named in the source's topic column, by a scan of the table, and of the archive of its moved rows where there is one; none
 * without such a column.
 */
export async function namedTopics(pool: Pool, { table, event, topicColumn }: SourceConfig): Promise<readonly string[]> {
  const name = event?.topicColumn.column ?? topicColumn;
  if (name === null) return [];
  const archive = event?.archive?.table;
  const named = new Set<string>();
  for (const each of archive === undefined ? [table] : [table, archive]) {
    if (event !== null && !(await hasColumn(pool, each, name))) continue;
    for (const topic of await topicsIn(pool, each, name)) named.add(topic);
  }
  return [...named];
}

async function topicsIn(pool: Pool, table: string, name: string): Promise<readonly string[]> {
  const column = quoteIdentifier(name);
  const rows = await pool.query<{ topic: string | Buffer }>(
    `SELECT DISTINCT ${column} AS topic FROM ${quoteIdentifier(table)} WHERE ${column} IS NOT NULL LIMIT ?`,
    [TOPICS_MAX + 1],
  );
  if (rows.length > TOPICS_MAX) {
    throw new RelayError(
      'CONFIG_INVALID',
      `column ${name} of ${table} names more than ${TOPICS_MAX} topics: too many to look at`,
    );
  }
  return rows.map(({ topic }) => topic.toString());
}

/** In mode `consume` the topic column need not be there. */
async function hasColumn(pool: Pool, table: string, column: string): Promise<boolean> {
  const rows = await pool.query<{ name: string }>(
    'SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?',
    [table],
  );
  // Compared here: that table's own collation takes two columns that differ in an accent for one.
  return rows.some(({ name }) => name.toLowerCase() === column.toLowerCase());
}

const EVER_MS = 10 * 365 * 86_400_000;

/** False where the settings alone tell the topics of these sources. */
const isTopicOpen = (sources: readonly SourceConfig[]): boolean =>
  sources.some(({ event, topic, topicColumn }) => topic === null || topicColumn !== null || event !== null);

/**
 * Topics that senders have ever sent to, whatever the settings say now: one that the settings named once, or a row that is
 * gone, still holds its records. None for `chosen` sources whose settings tell theirs. Throws CONFIG_INVALID for too many.
 */
export async function notedTopics(
  store: Pick<SenderStore, 'listTopics'>,
  sources: readonly SourceConfig[],
  chosen: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (chosen?.length && !isTopicOpen(sources)) return [];
  const topics = await store.listTopics(EVER_MS, TOPICS_MAX + 1);
  if (topics.length <= TOPICS_MAX) return topics;
  throw new RelayError('CONFIG_INVALID', `rows were sent to more than ${TOPICS_MAX} topics: too many to look at`);
}

/**
 * Those that are there. Throws KAFKA_TOPIC_MISSING for one of `wanted` that is not; of the others one may be missing, and then
 * its rows cannot have been delivered: a note says so.
 */
export async function topicsThere(
  admin: TopicAdmin,
  wanted: readonly string[],
  others: Iterable<string>,
  notes: string[],
): Promise<readonly string[]> {
  const extra = [...others].filter((topic) => !wanted.includes(topic));
  const described = await admin.describeTopics([...wanted, ...extra]);
  const isThere = (topic: string) => (described.get(topic) ?? null) !== null;
  const missing = wanted.find((topic) => !isThere(topic));
  if (missing !== undefined) throw new RelayError('KAFKA_TOPIC_MISSING', `topic ${missing} does not exist`);
  for (const topic of extra.filter((each) => !isThere(each))) notes.push(`topic ${topic} does not exist`);
  return [...wanted, ...extra.filter(isThere)];
}

/** What begins the names of topics that rows are routed to by their route column; null where rows have a fixed topic. */
export const routedPrefix = ({ event, topic }: SourceConfig): string | null =>
  event === null || topic !== null ? null : event.topicPrefix;
