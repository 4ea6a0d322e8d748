/** Topics that the sender of this file sends to, each with the time until which it may be sent to. */
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';

export async function noteTopics({ file, tables }: Storage, topics: readonly string[], forMs: number): Promise<void> {
  const note = `INSERT INTO ${tables.topic} (topic, sent_until) VALUES (?, ${NOW} + ?) ON CONFLICT (topic) DO UPDATE SET sent_until = MAX(sent_until, excluded.sent_until)`;
  await file.write((sql) => {
    for (const topic of topics) sql.run(note, topic, forMs);
  });
}

export function listTopics({ file, tables }: Storage, sinceMs: number, rowsMax: number): Promise<readonly string[]> {
  const select = `SELECT topic FROM ${tables.topic} WHERE sent_until > ${NOW} - ? ORDER BY topic LIMIT ?`;
  return file.read((sql) => sql.all<{ topic: string }>(select, sinceMs, rowsMax).map(({ topic }) => topic));
}
