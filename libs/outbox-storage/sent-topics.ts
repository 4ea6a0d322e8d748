/** Topics that senders of this outbox send to, each with the time until which it may be sent to by the database's clock. */
import { retryDeadlock, type Storage } from './storage.ts';

const MS = 1_000;
/** Topics one statement writes. */
const TOPICS_MAX = 500;

/** In the order given, so that two senders that note the same topics do not wait for each other crosswise. */
export async function noteTopics(storage: Storage, topics: readonly string[], forMs: number): Promise<void> {
  const { pool, tables } = storage;
  for (let from = 0; from < topics.length; from += TOPICS_MAX) {
    const some = topics.slice(from, from + TOPICS_MAX);
    const rows = some.map(() => '(?, NOW(6) + INTERVAL ? MICROSECOND)').join(', ');
    const insert = `INSERT INTO ${tables.topic} (topic, sent_until) VALUES ${rows} ON DUPLICATE KEY UPDATE sent_until = GREATEST(sent_until, NOW(6) + INTERVAL ? MICROSECOND)`;
    const values = [...some.flatMap((topic) => [topic, forMs * MS]), forMs * MS];
    await retryDeadlock(storage, () => pool.run(insert, values));
  }
}

export async function listTopics(storage: Storage, sinceMs: number, rowsMax: number): Promise<readonly string[]> {
  const { pool, tables } = storage;
  const select = `SELECT topic FROM ${tables.topic} WHERE sent_until > NOW(6) - INTERVAL ? MICROSECOND ORDER BY topic LIMIT ?`;
  const rows = await pool.query<{ topic: string }>(select, [sinceMs * MS, rowsMax]);
  return rows.map(({ topic }) => topic);
}
