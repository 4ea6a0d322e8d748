/** Every row in the outbox and aside, without its payload, a page at a time: what `verify` must not call missing. */
import { laneOf, type WaitingRow } from '#outbox';
import { openStorage, type Storage, type StoreOptions } from './storage.ts';

interface Columns {
  readonly id: string;
  readonly event_id: string;
  readonly record_key: Buffer | null;
  readonly state: string;
}

const PAGE_ROWS_MAX = 10_000;

/**
 * Yields pages, none empty: the outbox first, then the rows set aside, so that a row on its way from the one to the other
 * is seen once at least. Memory is bounded by one page.
 */
export async function* listWaiting(options: StoreOptions): AsyncGenerator<readonly WaitingRow[], void, void> {
  const storage = openStorage(options);
  const { pool, tables } = storage;
  const rows = await pool.query<{ lane: string | number; source: string }>(`SELECT lane, source FROM ${tables.lane}`);
  const sources = new Map(rows.map(({ lane, source }) => [Number(lane), source]));
  yield* listTable(storage, `SELECT id, event_id, record_key, 'outbox' AS state FROM ${tables.outbox}`, sources);
  yield* listTable(storage, `SELECT id, event_id, record_key, state FROM ${tables.deadLetter}`, sources);
}

async function* listTable(storage: Storage, select: string, sources: ReadonlyMap<number, string>) {
  let after = -1;
  for (;;) {
    const rows = await storage.pool.query<Columns>(`${select} WHERE id > ? ORDER BY id LIMIT ?`, [
      after,
      PAGE_ROWS_MAX,
    ]);
    if (rows.length > 0) yield rows.map((row) => toWaitingRow(row, sources));
    if (rows.length < PAGE_ROWS_MAX) return;
    after = Number(rows.at(-1)?.id);
  }
}

function toWaitingRow(row: Columns, sources: ReadonlyMap<number, string>): WaitingRow {
  const outboxId = Number(row.id);
  return {
    source: sources.get(laneOf(outboxId)) ?? '',
    eventId: row.event_id,
    outboxId,
    key: row.record_key,
    state: row.state,
  };
}
