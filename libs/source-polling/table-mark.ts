/**
 * What tells a source table from another one of its name. InnoDB gives a table, and each of its partitions, a new id whenever its rows
 * are put into a new place: TRUNCATE, DROP and CREATE, an exchange of partitions, an ALTER TABLE that rebuilds. Seeing the ids takes
 * the right PROCESS. The time of creation changes with every ALTER TABLE and CREATE; on MariaDB it stays with TRUNCATE and an exchange,
 * tried on 10.11. Both are the server's own, so that after a fail-over all of it looks changed, and the rows decide.
 */
import { type EngineKind, errnoOf, type Pool, type Session } from '#database';
import type { TableMark } from '#outbox';
import { whereTable } from './inspect-table.ts';

/** ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE: not for this user, or not on this server. */
const UNSEEN_ERRNOS: ReadonlySet<number> = new Set([1227, 1142, 1109]);
/** The time of creation is in seconds: a change within the same one would not show. */
const SETTLED_SECONDS = 2;
const PARTITIONS_MAX = 8192;

/** InnoDB's own list of tables, and how a name is written in it. */
const DATA_TABLES: Readonly<Partial<Record<EngineKind, { readonly from: string; readonly name: string }>>> = {
  mariadb: { from: 'information_schema.innodb_sys_tables', name: 'CAST(CONVERT(? USING filename) AS BINARY)' },
  mysql: { from: 'information_schema.innodb_tables', name: '?' },
};

interface TableRow {
  readonly schema: string;
  /** As the server keeps it: in lower case on some, whatever the settings say. */
  readonly name: string;
  readonly created: string | number | null;
  readonly age: string | number | null;
  readonly server: string;
}

/** Null where the table is not there. */
export function tableMark(pool: Pool, table: string): Promise<TableMark | null> {
  const { condition, values } = whereTable(table);
  return pool.use(async (session) => {
    const { kind } = session.engine;
    const server = kind === 'mariadb' || kind === 'mysql' ? "CONCAT_WS('/', @@hostname, @@port, @@server_id)" : "''";
    const [row] = await session.query<TableRow>(
      `SELECT table_schema AS \`schema\`, table_name AS name, UNIX_TIMESTAMP(create_time) AS created,
          TIMESTAMPDIFF(SECOND, create_time, NOW()) AS age, ${server} AS server
        FROM information_schema.tables WHERE ${condition} LIMIT 1`,
      values,
    );
    if (row === undefined) return null;
    const data = await dataIds(session, row);
    return {
      data,
      definition: row.created === null ? null : `${row.created}@${row.server}`,
      definitionStays: kind === 'mariadb',
      settled: Number(row.age ?? 0) >= SETTLED_SECONDS,
    };
  });
}

/** By partition; null where they cannot be seen. */
async function dataIds(session: Session, { schema, name, server }: TableRow): Promise<TableMark['data']> {
  const list = DATA_TABLES[session.engine.kind];
  if (list === undefined) return null;
  try {
    // Names are as InnoDB writes them to the file system. Nothing in them is a wildcard but what we put there.
    const rows = await session.query<{ name: string; id: string | number }>(
      `SELECT SUBSTRING(name, CHAR_LENGTH(base.prefix) + 1) AS name, table_id AS id FROM ${list.from} t,
          (SELECT CONCAT(${list.name}, '/', ${list.name}) AS prefix) base
        WHERE name = base.prefix OR LEFT(name, CHAR_LENGTH(base.prefix) + 1) = CONCAT(base.prefix, '#') LIMIT ${PARTITIONS_MAX}`,
      [schema, name],
    );
    if (rows.length === 0) return null;
    return Object.fromEntries(rows.map((row) => [partitionIn(String(row.name)), `${row.id}@${server}`]));
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === null || !UNSEEN_ERRNOS.has(errno)) throw thrown;
    return null;
  }
}

/** `#P#p0`, on some versions in lower case; '' for a table without partitions. */
const partitionIn = (suffix: string): string => suffix.replace(/^#p#/i, '');
