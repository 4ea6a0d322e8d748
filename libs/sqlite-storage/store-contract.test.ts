/** The store contract on an SQLite file, with two connections as two processes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after } from 'node:test';
import type { OutboxTables } from '#outbox';
import { type StoreSide, storeContract, testTables } from '#testkit';
import { createSenderStore, createWriterStore, migrate, openSqliteFile } from './index.ts';
import type { SqliteFile } from './sqlite-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-store-'));
after(() => rmSync(folder, { recursive: true }));

const tables: OutboxTables = testTables();
let worlds = 0;

/** The machine's clock cannot be turned: what it is compared with moves back instead. */
function elapse(path: string, ms: number): void {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    db.exec(`UPDATE lane SET lease_until = lease_until - ${ms}`);
    db.exec(`UPDATE member SET heartbeat_at = heartbeat_at - ${ms}`);
    db.exec(`UPDATE dead_letter SET due_at = due_at - ${ms}`);
    db.exec(`UPDATE topic SET sent_until = sent_until - ${ms}`);
  } finally {
    db.close();
  }
}

storeContract({
  name: 'SQLite',
  open: async () => {
    worlds += 1;
    const path = join(folder, `${worlds}.db`);
    const [first, second] = [
      await openSqliteFile({ path, create: true }),
      await openSqliteFile({ path, create: true }),
    ];
    await migrate(first, tables);
    const side = (file: SqliteFile): StoreSide => ({
      writer: createWriterStore({ file, tables }),
      sender: createSenderStore({ file, tables }),
    });
    return {
      one: side(first),
      other: side(second),
      elapse: async (ms) => elapse(path, ms),
      close: async () => {
        first.close();
        second.close();
      },
    };
  },
});
