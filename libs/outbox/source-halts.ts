/**
 * What a writer does about a fault that does not pass by itself. A fault of the data is written into the watermark row, so that
 * it outlives every process: a standby must not go on where the leader has stopped (I8). A fault of this process or of the
 * moment is not, since another writer, or this one a minute later, loses nothing by going on.
 */
import type { LastingCode, RelayError } from '#runtime';

/**
 * `halt`: the source is halted for every writer until an operator accepts what happened. `wait`: the writer tries again at its
 * pace, once the source is registered. `end`: this process gives the source up.
 */
export type Answer = 'halt' | 'wait' | 'end';

export const ANSWERS: Readonly<Record<LastingCode, Answer>> = {
  // Columns that readers rely on are gone: a writer that knows nothing of them would deliver rows without.
  SOURCE_COLUMNS_GONE: 'halt',
  // Ids begin anew below the position: rows up to it would be skipped, and later the ids pass it and nothing shows it any more.
  SOURCE_WENT_BACK: 'halt',
  // Of two rows with one id the second may come after the position has passed it, and is then never read.
  SOURCE_ID_TWICE: 'halt',
  // The database is older than Kafka, or an outbox id is in use: rows appended now would be taken for delivered ones.
  INVARIANT_BROKEN: 'halt',
  // Nothing to be read, so nothing to be lost: the table is judged anew when it is there again.
  SOURCE_TABLE_MISSING: 'wait',
  // The watermark row says so already.
  SOURCE_HALTED: 'halt',
  // The settings of this process: another writer may have better ones.
  CONFIG_INVALID: 'end',
  // A column that the settings name and that never was delivered, an index, the type of the id: nothing was moved by it.
  DB_SCHEMA: 'end',
  DB_UNSUPPORTED: 'end',
  KAFKA_UNREADABLE: 'end',
  KAFKA_UNSUPPORTED: 'end',
  // One row that the outbox cannot take as the server is set up: it goes on once max_allowed_packet is large enough.
  DB_ROW_REFUSED: 'wait',
  // One row: whoever reads it meets it again, and moves nothing past it.
  EVENT_REFUSED: 'end',
  KAFKA_RECORD_REFUSED: 'end',
  // A defect of this program. The append is one transaction, so nothing is half-done.
  INTERNAL: 'end',
};

/** The code of a fault that stays until somebody does something; null for one that passes. */
export const lastingCodeOf = ({ code, verdict }: RelayError): LastingCode | null =>
  verdict === 'retry' ? null : (code as LastingCode);

export const haltsSource = (error: RelayError): boolean => {
  const code = lastingCodeOf(error);
  return code !== null && code !== 'SOURCE_HALTED' && ANSWERS[code] === 'halt';
};

/** The command that helps, for log, status and doctor alike. */
export function howToGoOn(source: string, cause: string | null): string {
  const accept = `kafka-row-sender source accept ${source}`;
  switch (cause) {
    case 'SOURCE_COLUMNS_GONE':
      return `put the column back, or go on with the columns that are there: ${accept}`;
    case 'SOURCE_WENT_BACK':
      return `see what would be read again, then do it: ${accept} --dry-run`;
    case 'SOURCE_ID_TWICE':
      return `make the watermark column unique, then ${accept}`;
    default:
      return `once doctor finds nothing broken but this: ${accept}`;
  }
}
