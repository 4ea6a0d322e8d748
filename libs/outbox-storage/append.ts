/**
 * The writer's transaction. The compare-and-set of the watermark row comes first and its row lock lasts to the COMMIT: two
 * writers take turns, the second finds the row moved (I2), and ids of a lane become visible in id order (I3).
 */
import { errnoOf, requireServer, type Session, type SqlValue, transaction } from '#database';
import type { AppendRequest } from '#outbox';
import { crashPoint, RelayError } from '#runtime';
import { writeGaps } from './gap-pages.ts';
import { type EncodedMessage, encodeMessage, planStatements, STATEMENT_SHAPES } from './plan-statements.ts';
import type { Storage } from './storage.ts';

const COLUMNS = '(id, event_id, topic, record_key, payload, headers, size)';
const ROW = '(?, ?, ?, ?, ?, ?, ?)';
const COLUMN_COUNT = 7;
const DUPLICATE_ERRNO = 1062;

export interface AppendStatements {
  readonly compareAndSet: string;
  /** By the number of rows. */
  readonly inserts: ReadonlyMap<number, string>;
  /** For engines whose prepared statements are not known to take thousands of values. */
  readonly insertText: string;
}

export function appendStatements({ tables }: Storage): AppendStatements {
  const insert = (rows: number) => `INSERT INTO ${tables.outbox} ${COLUMNS} VALUES ${Array(rows).fill(ROW).join(', ')}`;
  return {
    compareAndSet: `UPDATE ${tables.watermark} SET position = ?, next_sequence = ?, updated_at = NOW(6) WHERE source = ? AND epoch = ? AND next_sequence = ?`,
    inserts: new Map(STATEMENT_SHAPES.map((rows) => [rows, insert(rows)])),
    insertText: `INSERT INTO ${tables.outbox} ${COLUMNS} VALUES ?`,
  };
}

/**
 * Throws DB_COMMIT_UNKNOWN when the answer to COMMIT was lost; with every other fault nothing was written.
 * DB_ROW_REFUSED names a row the server cannot take. DB_UNREACHABLE: this is another server than the request is about. INVARIANT_BROKEN: an id was there already.
 */
export async function append(
  { pool, tables }: Storage,
  statements: AppendStatements,
  request: AppendRequest,
  onUnderWay?: () => void,
): Promise<'committed' | 'fenced'> {
  const messages = request.messages.map(encodeMessage);
  const outcome = await transaction(pool, async (session) => {
    requireServer(session, request.server ?? null);
    const asText = session.engine.kind === 'singlestore' || session.engine.kind === 'unknown';
    const plan = planStatements(messages, session.engine.statementBytesMax, asText);
    if (!(await compareAndSet(session, statements, request))) return 'fenced';
    crashPoint('writer-after-cas');
    await writeGaps(session, tables, request.source, request.next.gaps);
    if (request.takeOut !== undefined && !(await request.takeOut(session))) {
      throw new RelayError('DB_TRANSIENT', `rows of source ${request.source} left their table while they were moved`);
    }
    crashPoint('writer-after-take-out');
    for (const [index, { start, rows }] of plan.entries()) {
      const inserted = insertRows(session, statements, messages.slice(start, start + rows), asText);
      // The last statement is sent by now, unless it has yet to be prepared.
      if (index === plan.length - 1) onUnderWay?.();
      await inserted;
    }
    crashPoint('writer-before-commit');
    return 'committed';
  });
  return outcome;
}

async function compareAndSet(
  session: Session,
  statements: AppendStatements,
  { source, epoch, expectedNextSequence, next }: AppendRequest,
): Promise<boolean> {
  const { affectedRows } = await session.run(statements.compareAndSet, [
    next.position,
    next.nextSequence,
    source,
    epoch,
    expectedNextSequence,
  ]);
  return affectedRows === 1;
}

async function insertRows(
  session: Session,
  statements: AppendStatements,
  rows: readonly EncodedMessage[],
  asText: boolean,
): Promise<void> {
  try {
    if (asText) await session.run(statements.insertText, [rows.map(valuesOf)]);
    else await session.runPrepared(statements.inserts.get(rows.length) as string, flatValues(rows));
  } catch (error) {
    if (errnoOf(error) !== DUPLICATE_ERRNO) throw error;
    throw new RelayError('INVARIANT_BROKEN', 'an outbox id handed out by the watermark row is in use already', {
      cause: error,
      details: { firstId: rows[0]?.message.id ?? null, rows: rows.length },
    });
  }
}

/** One array filled by index: a thousand small ones to flatten cost a tenth of the statement. */
function flatValues(rows: readonly EncodedMessage[]): SqlValue[] {
  const values = new Array<SqlValue>(rows.length * COLUMN_COUNT);
  let at = 0;
  for (const { message, headers, size } of rows) {
    values[at] = message.id;
    values[at + 1] = message.eventId;
    values[at + 2] = message.topic;
    values[at + 3] = message.key;
    values[at + 4] = message.value;
    values[at + 5] = headers;
    values[at + 6] = size;
    at += COLUMN_COUNT;
  }
  return values;
}

/** Binary values go as they are, byte by byte. */
function valuesOf({ message, headers, size }: EncodedMessage): SqlValue[] {
  return [message.id, message.eventId, message.topic, message.key, message.value, headers, size];
}
