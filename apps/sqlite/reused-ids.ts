/**
 * Has SQLite begun to hand ids out again? AUTOINCREMENT rests on the table's row in `sqlite_sequence`, which anybody can change
 * or delete. New rows then get ids at or below the watermark, and the writer would pass over them without a word.
 */
import type { SourceConfig } from '#config';
import { type SourceReader, withReader } from '#outbox';
import { RelayError } from '#runtime';

type Watched = Pick<SourceConfig, 'table' | 'startFrom'>;

const quotedText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** What is wrong and what to do about it, in one line; null when all is well. `moved`: the watermark. */
export async function findReusedIds(reader: SourceReader, source: Watched, moved: bigint): Promise<string | null> {
  const next = (await reader.nextPosition?.()) ?? null;
  if (next === null || next > moved) return null;
  // The watermark is still where START_FROM put it: rows below were not wanted.
  if (typeof source.startFrom === 'bigint' && moved < source.startFrom) return null;
  const name = quotedText(source.table);
  const restore = `DELETE FROM sqlite_sequence WHERE name = ${name}; INSERT INTO sqlite_sequence (name, seq) VALUES (${name}, ${moved})`;
  return `sqlite_sequence lets table ${source.table} hand out id ${next} again, and rows up to id ${moved} were moved: a new row with such an id would never be sent. Run ${restore}, insert rows that came since then again, then kafka-row-sender source accept`;
}

/** The reader of a source that halts (SOURCE_WENT_BACK) instead of passing over rows with ids handed out again. */
export function refuseReusedIds(reader: SourceReader, source: Watched): SourceReader {
  return withReader(reader, {
    async readAfter(after, limits) {
      const why = await findReusedIds(reader, source, after);
      if (why !== null) throw new RelayError('SOURCE_WENT_BACK', why);
      return reader.readAfter(after, limits);
    },
  });
}
