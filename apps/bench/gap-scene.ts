/**
 * A source whose table has gaps that cannot close: a transaction that writes stays open from before the first of them on. The
 * gaps are written down as a writer would have left them, so that a million of them are there within a minute.
 */
import { crc32 } from 'node:zlib';
import mysql from 'mysql2/promise';
import { GapSet } from '#outbox';
import type { Deployment, DeploymentServers } from '#testkit';
import { createScene, NUMBERS, sourceRow, TABLE } from './scene.ts';

export interface Shape {
  /** The id of row `n`, n from 1 on, as SQL over the column n. */
  readonly sql: string;
  readonly idOf: (n: number) => number;
  /** Rows until so many ids are missing. */
  readonly rowsFor: (missing: number) => number;
}

const every = (step: number): Shape => ({
  sql: `n * ${step}`,
  idOf: (n) => n * step,
  rowsFor: (missing) => Math.ceil(missing / (step - 1)),
});

export const SHAPES = {
  dense: { sql: 'n', idOf: (n) => n, rowsFor: () => 0 },
  'steps of 3': every(3),
  'steps of 10': every(10),
  'steps of 20': every(20),
  /** Of every three ids one is missing, by chance the first or the second: hardly any two holes make a pattern. */
  'single holes': {
    sql: '3 * (n DIV 2) + IF(n MOD 2 = 1, 2, 1 - CRC32(n DIV 2) % 2)',
    idOf: (n) => 3 * (n >> 1) + (n % 2 === 1 ? 2 : 1 - (crc32(String(n >> 1)) % 2)),
    rowsFor: (missing) => 2 * missing,
  },
  'random ids': {
    sql: '20 * n + CRC32(n) % 20',
    idOf: (n) => 20 * n + (crc32(String(n)) % 20),
    rowsFor: () => 0,
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

export interface GapScene {
  readonly deployment: Deployment;
  /** Rows that wait for the writer, 300 bytes each. */
  addFresh(rows: number): Promise<void>;
  /** Ends the transaction that keeps the gaps open. */
  release(): Promise<void>;
  connect(): Promise<mysql.Connection>;
  drop(): Promise<void>;
}

const HOLDER = 'bench_holder';
const CHUNK_ROWS = 100_000;
const PAGES_PER_STATEMENT = 200;
const CONNECT_TIMEOUT_MS = 10_000;
const READY_DEADLINE_MS = 120_000;

export async function createGapScene(servers: DeploymentServers, name: ShapeName, missing: number): Promise<GapScene> {
  const deployment = await createScene(servers);
  const shape: Shape = SHAPES[name];
  const connections: mysql.Connection[] = [];
  const connect = async () => {
    const { host, port, user, password, name: database } = deployment.database;
    const connection = await mysql.createConnection({
      ...{ host, port, user, password, database },
      connectTimeout: CONNECT_TIMEOUT_MS,
    });
    connections.push(connection);
    return connection;
  };
  await deployment.query(`CREATE TABLE ${HOLDER} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY)`);
  const holder = await connect();
  await holder.query('START TRANSACTION');
  await holder.query(`INSERT INTO ${HOLDER} VALUES ()`);
  let rows = 0;
  const add = async (count: number, note?: string) => {
    const end = rows + count;
    for (; rows < end; rows = Math.min(end, rows + CHUNK_ROWS)) {
      const upTo = Math.min(end, rows + CHUNK_ROWS);
      await deployment.query(
        `INSERT INTO ${TABLE} (WatermarkId, customer, amount, note) SELECT ${shape.sql} AS id, ${sourceRow(note)} FROM (${NUMBERS}) numbers WHERE n > ${rows} AND n <= ${upTo} ORDER BY n`.replace(
          '{start}',
          String(rows),
        ),
      );
    }
  };
  const seeded = shape.rowsFor(missing);
  if (seeded > 0) {
    await registerSource(deployment);
    await add(seeded, "'x'");
    await writeGapsDown(deployment, shape, seeded);
  }
  return {
    deployment,
    addFresh: (count) => add(count),
    connect,
    release: async () => void (await holder.query('ROLLBACK')),
    async drop() {
      for (const connection of connections) connection.destroy();
      await deployment.drop();
    },
  };
}

/** As a first writer does. */
async function registerSource(deployment: Deployment): Promise<void> {
  const writer = deployment.writer();
  await writer.waitForLog((line) => line.event === 'term-begun', READY_DEADLINE_MS, 'the source is registered');
  await writer.stop();
}

async function writeGapsDown(deployment: Deployment, { idOf }: Shape, rows: number): Promise<void> {
  let gaps = GapSet.of([], 0);
  for (let first = 1; first <= rows; first += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, rows - first + 1);
    const ids = Array.from({ length: count }, (_, at) => BigInt(idOf(first + at)));
    gaps = gaps.open(BigInt(first === 1 ? 0 : idOf(first - 1)), ids, 0);
  }
  const [watermark] = await deployment.query<{ source: string }>('SELECT source FROM kafka_row_sender_watermark');
  const source = watermark?.source;
  for (let at = 0; at < gaps.pages.length; at += PAGES_PER_STATEMENT) {
    const pages = gaps.pages.slice(at, at + PAGES_PER_STATEMENT);
    await deployment.query(
      'INSERT INTO kafka_row_sender_gap (source, page, first_position, last_position, missing, ranges, detail) VALUES ?',
      [
        pages.map(({ page, first, last, missing, ranges, detail }) => [
          source,
          page,
          first,
          last,
          missing,
          ranges,
          detail,
        ]),
      ],
    );
  }
  await deployment.query('UPDATE kafka_row_sender_watermark SET position = ?', [idOf(rows)]);
}
