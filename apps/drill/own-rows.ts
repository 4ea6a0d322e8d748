/** Rows of a fault's own, in the source beside those of the load: under keys of their own, in ledger and history as all others. */
import mysql from 'mysql2/promise';
import { EXIT, systemClock } from '#runtime';
import { AIM_COLUMN, type Scene, TABLE } from './scene.ts';

export const OWN_COLUMNS = `(Account, AccountSequence, Amount, Note, BookedAt, ${AIM_COLUMN})`;
const VALUES = "(?, ?, 1, ?, '2026-01-02 03:04:05', ?)";
const DEAD_DEADLINE_MS = 180_000;

export interface OwnRow {
  readonly key: string;
  readonly sequence: number;
  readonly note: string;
  /** The topic it names; that of its key unless given. */
  readonly aim?: string;
}

let numbered = 0;
/** A key of the fault's own, so that its rows have an order of their own. */
export const freshKey = (what: string): string => {
  numbered += 1;
  return `${what}-${numbered}`;
};

export async function asApplication<T>(scene: Scene, act: (session: mysql.Connection) => Promise<T>): Promise<T> {
  const { host, port, user, password, name } = scene.deployment.database;
  const session = await mysql.createConnection({ host, port, user, password, database: name });
  try {
    return await act(session);
  } finally {
    session.destroy();
  }
}

async function insert(session: mysql.Connection, { key, sequence, note, aim }: OwnRow): Promise<mysql.ResultSetHeader> {
  const sql = `INSERT INTO ${TABLE} ${OWN_COLUMNS} VALUES ${VALUES}`;
  const [result] = await session.query<mysql.ResultSetHeader>(sql, [key, sequence, note, aim ?? null]);
  return result;
}

/** Writes a transaction of the fault's own down, in the history and in the ledger. */
export function noteOf(scene: Scene) {
  const { history, ledger } = scene.load;
  const noted = history.begin('fault');
  const rows: { key: string; sequence: number }[] = [];
  return {
    async insert(session: mysql.Connection, row: OwnRow): Promise<void> {
      const { key, sequence } = row;
      const answered = noted.statement('insert', [{ key, sequence }]);
      const { insertId, affectedRows } = await insert(session, row);
      answered({ firstId: insertId, affectedRows });
      rows.push({ key, sequence });
    },
    committed(): void {
      noted.end('committed');
      ledger.commit(rows);
    },
  };
}

/** Each in a transaction by itself. */
export async function insertRows(scene: Scene, rows: readonly OwnRow[]): Promise<void> {
  await asApplication(scene, async (session) => {
    for (const row of rows) {
      const noted = noteOf(scene);
      await noted.insert(session, row);
      noted.committed();
    }
  });
}

/** As an operator gives a row up for good: otherwise `verify` counts it as not delivered, and is right. */
async function forgetRow(scene: Scene, rowId: number, outboxId: string): Promise<void> {
  await scene.ask(`DELETE FROM ${TABLE} WHERE WatermarkId = ?`, [rowId]);
  const { code, output } = await scene.deployment.cli('dead-letters', 'drop', outboxId, '--yes');
  if (code !== EXIT.done) throw new Error(`the dead letter ${outboxId} was not dropped: ${output}`);
}

/**
 * A row that cannot be delivered, between two others of its key, which are; resolves once it is a dead letter and an operator
 * has dropped it. Neither ledger nor history knows it.
 */
export async function giveUpRow(scene: Scene, what: string, ill: Pick<OwnRow, 'note' | 'aim'>): Promise<void> {
  const key = freshKey(what);
  await insertRows(scene, [{ key, sequence: 1, note: 'before' }]);
  const { insertId } = await asApplication(scene, (session) => insert(session, { key, sequence: 2, ...ill }));
  await insertRows(scene, [{ key, sequence: 3, note: 'after' }]);
  const deadlineMs = systemClock.nowMs() + DEAD_DEADLINE_MS;
  const sql = 'SELECT id, state FROM kafka_row_sender_dead_letter WHERE event_id = ?';
  for (;;) {
    const [found] = await scene.ask<{ id: number | string; state: string }>(sql, [`${TABLE}:${insertId}`]);
    if (found?.state === 'dead') return forgetRow(scene, insertId, String(found.id));
    if (systemClock.nowMs() > deadlineMs) {
      throw new Error(`row ${insertId}, which cannot be delivered, is ${found?.state ?? 'not'} among the dead letters`);
    }
    await systemClock.sleep(200);
  }
}
