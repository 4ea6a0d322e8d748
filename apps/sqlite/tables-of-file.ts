/** The application's tables in the file, as `status` shows them. */
import { ConsumeQueue, createSourceReader, type SqliteFile } from '#sqlite-storage';
import { type LookAtTable, tryTable } from '../wiring/read-status.ts';
import { findReusedIds } from './reused-ids.ts';

const REASON = 'SQLite has one writer at a time: ids commit in order, and nothing has to be waited for';

export function tablesOfFile(file: SqliteFile): LookAtTable {
  return (source, watermark) =>
    tryTable(async () => {
      const facts = {
        gapMode: 'one writer',
        gapModeReason: REASON,
        gapModePromise: null,
        gapModeBetter: null,
        problem: null,
      };
      if (source.mode === 'append') {
        const reader = await createSourceReader({ file, source });
        const problem = watermark === null ? null : await findReusedIds(reader, source, watermark.position);
        return { ...facts, problem, highest: await reader.highestPosition() };
      }
      // Positions are counts of rows moved, so those waiting come after them.
      const waiting = await new ConsumeQueue({ file, source, fileId: '' }).waiting();
      return { ...facts, highest: (watermark?.position ?? 0n) + BigInt(waiting) };
    });
}
