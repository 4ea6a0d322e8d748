/** Every position of a source with its key, ascending, a page at a time: what `verify` compares a topic with. */

import type { Pool } from '#database';
import type { SourceDefinition } from '#outbox';
import { RelayError } from '#runtime';
import { resolveKinds } from './column-kinds.ts';
import { inspectTable } from './inspect-table.ts';
import { buildReadPlan, type ReadPlan } from './read-plan.ts';
import { RowEncoder } from './row-encoder.ts';

export interface ListPositionsOptions {
  readonly pool: Pool;
  readonly source: SourceDefinition;
  /** Exclusive; from the first row when absent. */
  readonly after?: bigint;
  /** Inclusive; to the last row when absent. */
  readonly upTo?: bigint;
  /** Rows in one page at most; 10,000 unless said. */
  readonly pageRowsMax?: number;
}

export interface SourcePosition {
  readonly position: bigint;
  readonly key: Buffer | null;
}

const PAGE_ROWS_MAX_DEFAULT = 10_000;

async function readPage(
  pool: Pool,
  plan: ReadPlan,
  bounds: { readonly after: bigint | null; readonly upTo: bigint | null },
  rowsMax: number,
): Promise<readonly SourcePosition[]> {
  const conditions: string[] = [];
  const values: bigint[] = [];
  if (bounds.after !== null) {
    conditions.push(`${plan.watermark} > ?`);
    values.push(bounds.after);
  }
  if (bounds.upTo !== null) {
    conditions.push(`${plan.watermark} <= ?`);
    values.push(bounds.upTo);
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const rows: SourcePosition[] = [];
  let encoder: RowEncoder | null = null;
  await pool.use((session) =>
    session.streamBytes(
      `SELECT ${plan.selectList} ${plan.from} ${where} ORDER BY ${plan.watermark} LIMIT ?`,
      [...values, rowsMax],
      {
        bytesDroppedMax: 0,
        onColumns(columns): boolean {
          const kinds = resolveKinds(plan, columns);
          if (typeof kinds === 'string') {
            throw new RelayError('DB_SCHEMA', `source ${plan.sourceName} changed while it was listed: start again`);
          }
          encoder = new RowEncoder(plan, kinds);
          return true;
        },
        onRow(row): boolean {
          const { position, key } = (encoder as RowEncoder).positionAndKey(row);
          rows.push({ position, key });
          return true;
        },
      },
    ),
  );
  return rows;
}

/** Yields pages, none empty. Memory is bounded by one page. Rejects as `createSourceReader` and the pool do. */
export async function* listSourcePositions(
  options: ListPositionsOptions,
): AsyncGenerator<readonly SourcePosition[], void, void> {
  const { pool, source } = options;
  const rowsMax = options.pageRowsMax ?? PAGE_ROWS_MAX_DEFAULT;
  const table = await inspectTable(pool, source.table, source.watermarkColumn);
  const plan = buildReadPlan({ ...source, columns: [source.watermarkColumn] }, table);
  let after = options.after ?? null;
  for (;;) {
    const page = await readPage(pool, plan, { after, upTo: options.upTo ?? null }, rowsMax);
    if (page.length > 0) yield page;
    if (page.length < rowsMax) return;
    after = page.at(-1)?.position ?? after;
  }
}
