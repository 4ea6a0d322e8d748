/**
 * Two MariaDB servers behind one address, the second a replica of the first, and a relay whose account has the documented rights
 * and may not write to a read-only server. Their settings and init_connect are hostile to it from the start.
 */
import mysql from 'mysql2/promise';
import {
  createDeployment,
  type Deployment,
  type FaultProxy,
  type MariadbServer,
  startMariadb,
  startProxy,
  testEnvironment,
} from '#testkit';

/** What init_connect does to every session of an account without SUPER. */
const HOSTILE = [
  'SET NAMES utf8mb3',
  "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', SESSION time_zone = '+05:30', SESSION autocommit = 0",
  'SET SESSION sql_safe_updates = 1, SESSION sql_select_limit = 1, SESSION max_join_size = 1',
  "SET SESSION completion_type = 'RELEASE', SESSION timestamp = 1, SESSION tx_read_only = 1",
  'SET SESSION lock_wait_timeout = 3600, SESSION innodb_lock_wait_timeout = 3600, SESSION group_concat_max_len = 4',
].join('; ');
const ARGS = [
  '--log-bin=bin',
  '--skip-character-set-client-handshake',
  '--character-set-server=latin1',
  '--sync-binlog=0',
  '--innodb-flush-log-at-trx-commit=2',
];
const RELAY = { user: 'relay', password: 'relay' };
export const TABLE = 'orders';

export interface TwoDatabases {
  readonly first: Database;
  readonly second: Database;
  readonly proxy: FaultProxy;
  readonly deployment: Deployment;
  close(): Promise<void>;
}

/** A server with a connection of somebody who may do everything. */
export class Database {
  readonly server: MariadbServer;
  readonly #name: string | null;
  #connection: mysql.Connection | null = null;

  constructor(server: MariadbServer, name: string | null = null) {
    this.server = server;
    this.#name = name;
  }

  in(name: string): Database {
    this.letGo();
    return new Database(this.server, name);
  }

  async query<T = mysql.RowDataPacket>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    if (this.#connection === null) {
      const { host, port, user, password } = this.server;
      const database = this.#name === null ? {} : { database: this.#name };
      this.#connection = await mysql.createConnection({ host, port, user, password, ...database, charset: 'utf8mb4' });
      this.#connection.on('error', () => undefined);
      await this.#connection.query('SET NAMES utf8mb4');
    }
    const [rows] = await this.#connection.query(sql, [...values]);
    return rows as T[];
  }

  async setReadOnly(on: boolean): Promise<void> {
    await this.query(`SET GLOBAL read_only = ${on ? 1 : 0}`);
  }

  /** Where its own log is. */
  async position(): Promise<string> {
    const [row] = await this.query<{ at: string }>('SELECT @@gtid_binlog_pos AS at');
    return String(row?.at);
  }

  /** Begins to copy what the other one has done since then. */
  async follow(master: Database, position: string): Promise<void> {
    const { port, user, password } = master.server;
    await this.query('STOP SLAVE');
    await this.query('SET GLOBAL gtid_slave_pos = ?', [position]);
    const to = `MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = '${user}', MASTER_PASSWORD = '${password}'`;
    await this.query(`CHANGE MASTER TO ${to}, MASTER_USE_GTID = slave_pos`);
    await this.query('START SLAVE');
  }

  /** Resolves when all that the other one has now is here. */
  async catchUp(master: Database): Promise<void> {
    const [waited] = await this.query<{ outcome: number }>('SELECT MASTER_GTID_WAIT(?, 20) AS outcome', [
      await master.position(),
    ]);
    if (Number(waited?.outcome) !== 0) throw new Error('the replica does not follow');
  }

  /** From here on it has what the other one had, and takes writes. Resolves to the position from which another may follow it. */
  async promote(): Promise<string> {
    await this.query('STOP SLAVE');
    const position = await this.position();
    await this.setReadOnly(false);
    return position;
  }

  /** Whatever it holds is free again. */
  letGo(): void {
    this.#connection?.destroy();
    this.#connection = null;
    this.server.resume();
  }
}

export async function openTwoDatabases(): Promise<TwoDatabases> {
  const start = (id: number) => startMariadb({ args: [...ARGS, `--server-id=${id}`], bufferPoolMb: 64 });
  const servers = await Promise.all([start(1), start(2)]);
  try {
    return await joined(...servers);
  } catch (thrown) {
    await Promise.all(servers.map((server) => server.stop()));
    throw thrown;
  }
}

async function joined(one: MariadbServer, two: MariadbServer): Promise<TwoDatabases> {
  const [first, second] = [new Database(one), new Database(two)];
  for (const database of [first, second]) {
    await database.query("CREATE USER relay@'%' IDENTIFIED BY 'relay'");
    await database.query("GRANT PROCESS ON *.* TO relay@'%'");
    await database.query('SET GLOBAL init_connect = ?', [HOSTILE]);
  }
  await second.follow(first, await first.position());
  const proxy = await startProxy(one);
  const { kafkaBootstrap } = testEnvironment();
  const deployment = await createDeployment({
    name: 'krs_two',
    servers: { database: { ...one, port: proxy.port }, redisUrl: null, kafkaBootstrap },
    source: { table: TABLE, keyColumn: 'customer', watermarkColumn: 'id' },
    partitions: 2,
    settings: {
      DB_USER: RELAY.user,
      DB_PASSWORD: RELAY.password,
      DB_READ_TIMEOUT: '2',
      DB_CONNECT_TIMEOUT: '2',
      KAFKA_RETRY_BACKOFF_BASE: '0.1',
      KAFKA_RETRY_BACKOFF_MAX: '0.5',
      LANES: '2',
      KAFKA_TOPIC_COLUMN: 'topic',
      KAFKA_MAX_RETRIES: '1',
    },
  });
  const { name } = deployment;
  await second.catchUp(first);
  const [a, b] = [first.in(name), second.in(name)];
  const columns = 'id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(50), note TEXT, topic TEXT';
  await a.query(`CREATE TABLE ${TABLE} (${columns}) ENGINE=InnoDB CHARACTER SET utf8mb4`);
  await a.query(`GRANT ALL ON ${name}.* TO relay@'%'`);
  await b.catchUp(a);
  const close = async () => {
    for (const database of [a, b]) database.letGo();
    await deployment.drop().catch(() => undefined);
    await proxy.stop();
    await Promise.all([one.stop(), two.stop()]);
  };
  return { first: a, second: b, proxy, deployment, close };
}
