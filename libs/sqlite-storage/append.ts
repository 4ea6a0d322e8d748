/**
 * The writer's transaction. SQLite has one writer at a time, so compare-and-set and insert need no lock of ours to be one step
 * (I2), and ids of a lane become visible in id order (I3).
 */
import type { AppendRequest, OutboxMessage } from '#outbox';
import { crashPoint, RelayError } from '#runtime';
import { CONSTRAINT, resultCodeOf } from './as-sqlite-error.ts';
import { writeGaps } from './gap-pages.ts';
import type { SqliteStatements } from './sqlite-file.ts';
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';

/** Takes the rows of a consumed source out of the application's table, in the transaction that moves them. */
export type TakeMoved = (sql: SqliteStatements, upTo: bigint) => void;

/** Throws INVARIANT_BROKEN when an id was there already; with every fault but DB_COMMIT_UNKNOWN nothing was written. */
export function append(
  { file, tables }: Storage,
  { source, epoch, expectedNextSequence, next, messages }: AppendRequest,
  takeMoved: TakeMoved,
): Promise<'committed' | 'fenced'> {
  const compareAndSet = `UPDATE ${tables.watermark} SET position = ?, next_sequence = ?, updated_at = ${NOW} WHERE source = ? AND epoch = ? AND next_sequence = ?`;
  const insert = `INSERT INTO ${tables.outbox} (id, event_id, topic, record_key, payload, headers, size, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ${NOW})`;
  return file.write((sql) => {
    const { position, gaps, nextSequence } = next;
    const values = [position.toString(), nextSequence, source, epoch, expectedNextSequence];
    if (sql.run(compareAndSet, ...values) !== 1) return 'fenced';
    crashPoint('writer-after-cas');
    writeGaps(sql, tables, source, gaps);
    for (const message of messages) insertOne(sql, insert, message);
    takeMoved(sql, position);
    crashPoint('writer-before-commit');
    return 'committed';
  });
}

function insertOne(sql: SqliteStatements, insert: string, { id, eventId, topic, key, value, headers }: OutboxMessage) {
  const text = headers === null ? null : JSON.stringify(headers);
  const size = (key?.length ?? 0) + (value?.length ?? 0) + (text === null ? 0 : Buffer.byteLength(text));
  try {
    sql.run(insert, id, eventId, topic, key, value, text, size);
  } catch (thrown) {
    if (resultCodeOf(thrown) !== CONSTRAINT) throw thrown;
    throw new RelayError('INVARIANT_BROKEN', 'an outbox id handed out by the watermark row is in use already', {
      cause: thrown,
      details: { outboxId: id },
    });
  }
}
