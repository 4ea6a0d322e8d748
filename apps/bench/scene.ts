/** One measurement's deployment: a source table of its own with rows of about 300 bytes, 8 lanes, a topic of 3 partitions. */
import { createDeployment, type Deployment, type DeploymentServers } from '#testkit';

export const KEYS = 1_000;
export const LANES = 8;
export const PARTITIONS = 3;
/** Bytes of a row's JSON. */
export const VALUE_BYTES = 300;

export const TABLE = 'bench_rows';
/** What is around the note in the JSON of an average row. */
const AROUND_NOTE_BYTES = 70;
const NOTE_BYTES = VALUE_BYTES - AROUND_NOTE_BYTES;
const CHUNK_ROWS = 10_000;
const DIGITS = `(${Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS d`).join(' UNION ALL ')})`;

export type Settings = Readonly<Record<string, string>>;

export async function createScene(servers: DeploymentServers, settings: Settings = {}): Promise<Deployment> {
  const deployment = await createDeployment({
    name: 'krs_bench',
    servers,
    source: { table: TABLE, keyColumn: 'customer' },
    partitions: PARTITIONS,
    // One debug line a transaction tells when rows were delivered.
    settings: { LANES: String(LANES), LOG_LEVEL: 'debug', ...settings },
  });
  await deployment.query(
    `CREATE TABLE ${TABLE} (WatermarkId BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(16) NOT NULL, amount DECIMAL(12,2) NOT NULL, note VARCHAR(500) NOT NULL)`,
  );
  await deployment.init();
  return deployment;
}

/** A table of n, from `{start}` + 1 on. */
export const NUMBERS = `SELECT {start} + a.d * 10000 + b.d * 1000 + c.d * 100 + e.d * 10 + f.d + 1 AS n FROM ${DIGITS} a, ${DIGITS} b, ${DIGITS} c, ${DIGITS} e, ${DIGITS} f`;

/** Columns of row n after its id; `note` is SQL. */
export const sourceRow = (note = `LEFT(REPEAT(MD5(n), 8), ${NOTE_BYTES})`): string =>
  `CONCAT('c', LPAD(MOD(n * 7919, ${KEYS}), 4, '0')), n / 7, ${note}`;

/** Rows 1 to `rows`, without gaps, committed in chunks. */
export async function fillSource(deployment: Deployment, rows: number): Promise<void> {
  for (let start = 0; start < rows; start += CHUNK_ROWS) {
    const upTo = Math.min(rows, start + CHUNK_ROWS);
    await deployment.query(
      `INSERT INTO ${TABLE} (WatermarkId, customer, amount, note) SELECT n, ${sourceRow()} FROM (${NUMBERS.replace('{start}', String(start))}) numbers WHERE n <= ${upTo} ORDER BY n`,
    );
  }
}

export const insertSql = `INSERT INTO ${TABLE} (customer, amount, note) VALUES (?, ?, ?)`;

/** One row's values; the note begins with `mark`, by which a reader knows the row again. */
export const rowValues = (number: number, mark: string): [string, number, string] => [
  `c${String((number * 7919) % KEYS).padStart(4, '0')}`,
  number / 7,
  mark.padEnd(NOTE_BYTES, 'x'),
];

/** How many rows of the source are in the outbox, or were. */
export async function movedRows(deployment: Deployment): Promise<number> {
  const [row] = await deployment.query<{ moved: number }>(
    'SELECT COALESCE(MAX(next_sequence), 1) - 1 AS moved FROM kafka_row_sender_watermark',
  );
  return Number(row?.moved ?? 0);
}
