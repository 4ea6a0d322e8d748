/** A sample source table, and rows for it without end or up to a number: for tests that do not care what is in them. */
import { hotNumber } from './hot-rows.ts';
import type { LoadRow, LoadSupply } from './load-supply.ts';

export const SAMPLE_WATERMARK = 'WatermarkId';
export const SAMPLE_KEY = 'Account';
export const SAMPLE_SEQUENCE = 'AccountSequence';
/** No oracle reads it. */
export const SAMPLE_FREE = 'Note';
export const SAMPLE_COLUMNS = [SAMPLE_KEY, SAMPLE_SEQUENCE, 'Amount', 'Note', 'BookedAt'] as const;

export const sampleTableSql = (table: string): string => `CREATE TABLE \`${table}\` (
  \`${SAMPLE_WATERMARK}\` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  \`${SAMPLE_KEY}\` VARCHAR(64) NOT NULL,
  \`${SAMPLE_SEQUENCE}\` INT NOT NULL,
  \`Amount\` DECIMAL(20,6) NOT NULL,
  \`Note\` VARCHAR(2000) NULL,
  \`BookedAt\` DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`;

export interface SampleOptions {
  readonly connections: number;
  /** Of all connections together; no end unless given. */
  readonly rows?: number;
  readonly keysPerConnection?: number;
  readonly noteBytes?: number;
}

const KEYS_PER_CONNECTION = 25;
const NOTE_BYTES = 120;

export function sampleSupplies(options: SampleOptions): LoadSupply[] {
  const { connections, rows = Number.POSITIVE_INFINITY } = options;
  return Array.from({ length: connections }, (_, connection) => {
    const share = Number.isFinite(rows)
      ? Math.floor(((connection + 1) * rows) / connections) - Math.floor((connection * rows) / connections)
      : rows;
    return sampleSupply(connection, share, options);
  });
}

function sampleSupply(connection: number, rows: number, options: SampleOptions): LoadSupply {
  const keys = options.keysPerConnection ?? KEYS_PER_CONNECTION;
  const note = 'n'.repeat(options.noteBytes ?? NOTE_BYTES);
  let given = 0;
  const row = (number: number, own = number % keys): LoadRow => {
    const key = `account-${connection}-${own}`;
    const amount = `${number}.${String(number % 1_000_000).padStart(6, '0')}`;
    return { key, values: (sequence) => [key, sequence, amount, note, '2026-01-02 03:04:05.678901'] };
  };
  return {
    next: () => {
      if (given >= rows) return null;
      given += 1;
      return row(given);
    },
    hot: (hot) => row(hot, hotNumber(hot)),
  };
}

/** Key and sequence of a delivered sample row, for the oracle. */
export function readSampleRow(value: Buffer | null): { readonly key: string; readonly sequence: number } {
  const row = JSON.parse(value?.toString('utf8') ?? 'null') as Record<string, unknown>;
  return { key: String(row[SAMPLE_KEY]), sequence: Number(row[SAMPLE_SEQUENCE]) };
}
