/**
 * Rows that each connection of a load replaces, updates and meets as duplicates: their statements own ids without rows while they
 * wait. A connection has hot rows of its own, so that the order of their keys stays the order of its commits.
 */
import { type Random, systemClock } from '#runtime';
import { LoadSession, type SessionTarget, undoneBy } from './load-session.ts';

/** Unique; NULL in all rows that are not hot. */
export const HOT_COLUMN = 'Slot';
export const hotColumnSql = (table: string): string =>
  `ALTER TABLE \`${table}\` ADD COLUMN \`${HOT_COLUMN}\` INT NULL UNIQUE`;

export const HOT_KINDS = ['replace', 'upsert', 'upsert-slow', 'insert-ignore', 'insert-ignore-slow'] as const;
export type HotKind = (typeof HOT_KINDS)[number];

export interface HotPlan {
  readonly kind: HotKind;
  /** Which of the connection's hot rows. */
  readonly row: number;
  readonly slowMs: number;
}

/** Hot rows of a connection. */
export const HOT_ROWS_EACH = 4;
const SLOW_MS_MAX = 1_800;
/** Numbers of their keys, above those of other rows. */
const HOT_NUMBER = 1_000;
const SLOTS_EACH = 100;
const HELD_MAX = 6;
const HOLD_MS_MAX = 2_500;
const REST_MS_MAX = 400;
const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

export const slotOf = (connection: number, row: number): number => connection * SLOTS_EACH + row;
export const hotNumber = (row: number): number => HOT_NUMBER + row;

export function planHot(random: Random): HotPlan {
  const kind = HOT_KINDS[Math.floor(random() * HOT_KINDS.length)] as HotKind;
  const slow = kind.endsWith('-slow') ? Math.round(random() ** 2 * SLOW_MS_MAX) : 0;
  return { kind, row: Math.floor(random() * HOT_ROWS_EACH), slowMs: slow };
}

export interface HotStatement {
  readonly kind: HotKind;
  readonly slowMs: number;
  /** `database.table`, quoted. */
  readonly table: string;
  readonly columns: readonly string[];
  /** Not the key, and nothing that an oracle reads. */
  readonly freeColumn: string;
  readonly slot: number;
  readonly hot: readonly unknown[];
  /** Fresh rows behind the duplicate; none for `replace`. */
  readonly rows: readonly (readonly unknown[])[];
}

export function hotSql(statement: HotStatement): { readonly sql: string; readonly values: readonly unknown[] } {
  const { kind, slowMs, table, columns, freeColumn, slot, hot, rows } = statement;
  const sleep = `SLEEP(${(slowMs / 1_000).toFixed(3)})`;
  const place = (slotValue: string) => `(${columns.map(() => '?').join(', ')}, ${slotValue})`;
  const fresh = rows.map((_, index) =>
    place(kind === 'insert-ignore-slow' && index === 0 ? `NULLIF(${sleep}, 0)` : 'NULL'),
  );
  const verb = kind === 'replace' ? 'REPLACE' : kind.startsWith('upsert') ? 'INSERT' : 'INSERT IGNORE';
  const free = quote(freeColumn);
  const value = kind === 'upsert-slow' ? `CONCAT(VALUES(${free}), ${sleep})` : `VALUES(${free})`;
  const update = kind.startsWith('upsert') ? ` ON DUPLICATE KEY UPDATE ${free} = ${value}` : '';
  const names = [...columns, HOT_COLUMN].map(quote).join(', ');
  return {
    sql: `${verb} INTO ${table} (${names}) VALUES ${[place(String(slot)), ...fresh].join(', ')}${update}`,
    values: [...hot, ...rows.flat()],
  };
}

/** Holds some hot rows by their primary key for a while, again and again, until the signal aborts. */
export async function holdHotRows(
  target: SessionTarget & { readonly table: string; readonly watermarkColumn: string },
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const session = new LoadSession(target, signal);
  const [table, id, slot] = [quote(target.table), quote(target.watermarkColumn), quote(HOT_COLUMN)];
  const find = `SELECT ${id} AS id FROM ${table} WHERE ${slot} IS NOT NULL ORDER BY ${slot}`;
  try {
    while (!signal.aborted) {
      await systemClock.sleep(random() * REST_MS_MAX, signal);
      try {
        await session.ready();
        const ids = (await session.query<{ id: number }[]>(find)).map((row) => row.id);
        const held = Array.from({ length: HELD_MAX }, () => ids[Math.floor(random() * ids.length)] ?? 0);
        await session.query('START TRANSACTION');
        await session.query(`SELECT 1 FROM ${table} FORCE INDEX (PRIMARY) WHERE ${id} IN (?) FOR UPDATE`, [held]);
        await systemClock.sleep(random() ** 2 * HOLD_MS_MAX, signal);
        await session.query('ROLLBACK');
      } catch (error) {
        // A load outlives every fault of a drill: a full disk and a server away are such.
        if (undoneBy(error) === null) await systemClock.sleep(REST_MS_MAX, signal);
        session.drop();
      }
    }
  } finally {
    session.drop();
  }
}
