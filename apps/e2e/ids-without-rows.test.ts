/**
 * I1 for ids that are in use and have no row to be found: the row of such an id was undone, or is still to come, while its
 * statement waits for longer than any grace. Each statement runs in every innodb_autoinc_lock_mode and at every isolation level
 * of the application, against the reader, the store and the loop of a real writer.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import mysql from 'mysql2/promise';
import { type Config, loadConfig } from '#config';
import { createPool, type Pool } from '#database';
import { runSource, type WriterEvent } from '#outbox';
import { createWriterStore, migrate, sumGaps } from '#outbox-storage';
import { silentLogger, systemClock } from '#runtime';
import { canaryTableSql, createSourceReader, proveGapMode } from '#source-polling';
import {
  createFakeDoorbells,
  createFakeElections,
  createTestDatabase,
  failOnLeaks,
  type MariadbServer,
  startMariadb,
  type TestDatabase,
  testDatabaseOptions,
  until,
} from '#testkit';
import { sourceOptions } from '../writer/source-options.ts';

const LOCK_MODES = [0, 1, 2] as const;
const LEVELS = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;
/** Two empty probes, a grace apart, closed a gap after twice this time. */
const GRACE_SECONDS = '0.1';
/** An idle writer looks this often: nobody rings here. */
const POLL_SECONDS = '0.05';
/** How long each statement waits: longer than any grace set here. */
const WAIT_MS = 1_500;
const STARTS_MS = 30_000;
/** The loop reads open gaps at its own pace; many loops share two cores here. */
const SOON_MS = 20_000;
const CONNECTIONS_MAX = 16;
const BUFFER_POOL_MB = 64;

interface Case {
  readonly name: string;
  /** Statements before the source begins, `T` being the table. */
  readonly prepare?: readonly string[];
  /** Held by another session while the statement waits; none for statements that are slow by themselves. */
  readonly hold?: string;
  readonly statement: string;
  readonly newRows: number;
}

const SLOW = `SLEEP(${WAIT_MS / 1_000})`;
/** The primary key's record alone: the row of the new id is undone before the statement waits for it. */
const HOLD_PRIMARY = 'SELECT 1 FROM T WHERE id = 1 FOR UPDATE';
const HOLD_GATE = 'SELECT 1 FROM T_gate WHERE id = 1 FOR UPDATE';
const GATE = ['CREATE TABLE T_gate (id INT PRIMARY KEY, n INT NOT NULL)', 'INSERT INTO T_gate VALUES (1, 0)'];
const trigger = (when: string) =>
  `CREATE TRIGGER T_${when.replace(' ', '_').toLowerCase()} ${when} ON T FOR EACH ROW BEGIN IF NEW.n > 0 THEN UPDATE T_gate SET n = n + 1 WHERE id = 1; END IF; END`;
const THREE = "VALUES ('dup', 1), ('n1', 1), ('n2', 1)";
const UPSERT = `INSERT INTO T (code, n) ${THREE} ON DUPLICATE KEY UPDATE`;

const CASES: readonly Case[] = [
  {
    name: 'a REPLACE of one row that waits for the row it replaces',
    hold: HOLD_PRIMARY,
    statement: "REPLACE INTO T (code, n) VALUES ('dup', 9)",
    newRows: 0,
  },
  {
    name: 'a REPLACE of three rows, the first of which waits',
    hold: HOLD_PRIMARY,
    statement: `REPLACE INTO T (code, n) ${THREE}`,
    newRows: 2,
  },
  {
    name: 'an upsert of three rows, whose duplicate comes first and waits',
    hold: HOLD_PRIMARY,
    statement: `${UPSERT} n = n + 1`,
    newRows: 2,
  },
  { name: 'an upsert with a slow expression in its UPDATE', statement: `${UPSERT} n = n + 1 + ${SLOW}`, newRows: 2 },
  {
    name: 'an upsert whose BEFORE UPDATE trigger waits',
    prepare: [...GATE, trigger('BEFORE UPDATE')],
    hold: HOLD_GATE,
    statement: `${UPSERT} n = n + 1`,
    newRows: 2,
  },
  {
    name: 'an INSERT IGNORE whose first row is a duplicate and whose second one is slow',
    statement: `INSERT IGNORE INTO T (code, n) VALUES ('dup', 1), ('n1', 1 + ${SLOW}), ('n2', 1)`,
    newRows: 2,
  },
  {
    name: 'an INSERT IGNORE whose first row is a duplicate and whose second one waits in a BEFORE INSERT trigger',
    prepare: [...GATE, trigger('BEFORE INSERT')],
    hold: HOLD_GATE,
    statement: "INSERT IGNORE INTO T (code, n) VALUES ('dup', 0), ('n1', 1), ('n2', 1)",
    newRows: 2,
  },
  {
    name: 'a slow INSERT IGNORE .. SELECT whose first row is a duplicate',
    prepare: [
      'CREATE TABLE T_from (seq INT PRIMARY KEY, code VARCHAR(20)) ENGINE = InnoDB',
      "INSERT INTO T_from VALUES (1, 'dup'), (2, 'n1'), (3, 'n2')",
    ],
    statement: `INSERT IGNORE INTO T (code, n) SELECT code, IF(seq = 2, ${SLOW}, 0) FROM T_from`,
    newRows: 2,
  },
];

/** A server of one lock mode, with the relay's tables in a database of its own. */
class World {
  readonly #mode: number;
  #server!: MariadbServer;
  #database!: TestDatabase;
  #pool!: Pool;
  #config!: Config;

  constructor(mode: number) {
    this.#mode = mode;
  }

  async open(): Promise<void> {
    this.#server = await startMariadb({
      bufferPoolMb: BUFFER_POOL_MB,
      args: [`--innodb-autoinc-lock-mode=${this.#mode}`],
    });
    this.#database = await createTestDatabase({ prefix: 'krs_ids', address: this.#server });
    this.#pool = createPool({ ...testDatabaseOptions(this.#database), connectionsMax: CONNECTIONS_MAX });
    this.#config = loadConfig({ env: environment(this.#database) }).config;
    await migrate(this.#pool, this.#config.tables);
    await this.#pool.run(canaryTableSql());
    const { mode, reason } = await proveGapMode({ pool: this.#pool, wanted: 'transactions' });
    assert.equal(mode, 'transactions', reason);
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    await this.#server?.stop();
  }

  async prove(each: Case, table: string, level: string): Promise<void> {
    const named = (sql: string) => sql.replaceAll(/\bT(?=\b|_)/g, table);
    await this.#pool.run(
      `CREATE TABLE ${table} (id BIGINT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(20) UNIQUE, n INT) ENGINE = InnoDB`,
    );
    await this.#pool.run(`INSERT INTO ${table} (code, n) VALUES ('dup', 0)`);
    for (const sql of each.prepare ?? []) await this.#pool.run(named(sql));
    const sessions = await Promise.all([this.#session(level), this.#session(level), this.#session(level)]);
    const relay = this.#relay(table);
    try {
      await this.#provenOn(each, table, sessions, named);
      assert.ok(relay.opened() > 0 || this.#mode === 0, 'no id was overtaken, so nothing was shown');
    } finally {
      await relay.stop();
      await Promise.all(sessions.map((session) => session.end()));
    }
  }

  async #provenOn(
    each: Case,
    table: string,
    [holder, slow, quick]: readonly mysql.Connection[],
    named: (sql: string) => string,
  ): Promise<void> {
    if (holder === undefined || slow === undefined || quick === undefined) throw new Error('three sessions are needed');
    await until('the first row moved', async () => (await this.#moved(table)).length === 1, STARTS_MS);
    if (each.hold !== undefined) {
      await holder.query('START TRANSACTION');
      await holder.query(named(each.hold));
    }
    const statement = slow.query(named(each.statement));
    await until('the statement under way', () => this.#isUnderWay(slow), SOON_MS);
    // Behind every other code: the search for a duplicate locks the gap in front of it.
    // In mode 0, and for INSERT .. SELECT in mode 1, it waits for the whole statement: nobody overtakes it then.
    const overtaking = quick.query(`INSERT INTO ${table} (code, n) VALUES ('z', 0)`);
    const startedMs = systemClock.nowMs();
    if (each.hold !== undefined) {
      await until('the wait', () => systemClock.nowMs() - startedMs >= WAIT_MS, STARTS_MS);
      await holder.query('ROLLBACK');
    }
    await Promise.all([statement, overtaking]);
    const rows = await this.#pool.query<{ id: number; code: string }>(`SELECT id, code FROM ${table} ORDER BY id`);
    assert.equal(rows.length, 2 + each.newRows, 'the statement did something else than it was made for');
    const missing = async () => {
      const moved = new Set(await this.#moved(table));
      return rows.filter(({ id }) => !moved.has(Number(id))).map(({ id, code }) => `${code} (${id})`);
    };
    const noneMissing = async () => (await missing()).length === 0;
    await until('every row moved', noneMissing, SOON_MS).catch(async () => {
      assert.fail(`never moved: ${(await missing()).join(', ')}`);
    });
    await until('no gap open', async () => (await this.#openGaps(table)) === 0, SOON_MS);
    const ids = await this.#moved(table);
    assert.equal(new Set(ids).size, ids.length, 'a row was moved twice');
  }

  async #session(level: string): Promise<mysql.Connection> {
    const { host, port, user, password, name } = this.#database;
    const session = await mysql.createConnection({ host, port, user, password, database: name });
    await session.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
    return session;
  }

  async #isUnderWay(session: mysql.Connection): Promise<boolean> {
    const found = await this.#pool.query(
      "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ? AND COMMAND = 'Query' AND TIME_MS > 50",
      [session.threadId],
    );
    return found.length > 0;
  }

  /** Ids in the outbox. */
  async #moved(table: string): Promise<number[]> {
    const rows = await this.#pool.query<{ event: string }>(
      `SELECT event_id AS event FROM ${this.#config.tables.outbox} WHERE event_id LIKE '${table}:%'`,
    );
    return rows.map(({ event }) => Number(event.split(':')[1]));
  }

  async #openGaps(table: string): Promise<number> {
    const all = await sumGaps(this.#pool, this.#config.tables);
    return Number(all.get(table)?.missing ?? 0n);
  }

  /** A writer that leads this one source. */
  #relay(table: string): { opened(): number; stop(): Promise<void> } {
    const stopping = new AbortController();
    const election = createFakeElections({ ttlMs: 60_000, clock: systemClock }).candidate();
    const doorbell = createFakeDoorbells().doorbell();
    const [source] = this.#config.sources;
    if (source === undefined) throw new Error('the settings have no source');
    let opened = 0;
    const onEvent = ({ kind }: WriterEvent) => {
      if (kind === 'gaps-opened') opened += 1;
    };
    const service = { config: this.#config, logger: silentLogger, instanceId: table, signal: stopping.signal };
    const parts = { pool: this.#pool, doorbell, election, onEvent };
    const store = createWriterStore({ pool: this.#pool, tables: this.#config.tables });
    const own = { ...source, name: table, table };
    // Nothing here delivers: there are no markers to look at.
    const { readMarkers: _, ...options } = sourceOptions(service, parts, store, own);
    // The mode was proven once, before: proofs of many sources at once keep the server's list of transactions from being fresh.
    const reading = { pool: this.#pool, source: own, gapMode: 'transactions' } as const;
    const openReader = () => createSourceReader({ ...reading, logger: silentLogger });
    const running = runSource({ ...options, openReader }, stopping.signal);
    running.catch(() => undefined);
    return {
      opened: () => opened,
      stop: async () => {
        stopping.abort();
        await running;
      },
    };
  }
}

function environment(database: TestDatabase): Record<string, string> {
  const settings = {
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_USER: database.user,
    DB_PASSWORD: database.password,
    DB_NAME: database.name,
    SOURCE_TABLE: 'any',
    SOURCE_WATERMARK_COLUMN: 'id',
    SOURCE_GAP_GRACE: GRACE_SECONDS,
    OUTBOX_WRITER_POLL_INTERVAL: POLL_SECONDS,
    KAFKA_TOPIC: 'none',
    KAFKA_KEY_COLUMN: 'code',
    KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
    KAFKA_TRANSACTIONAL_ID_PREFIX: 'none',
  };
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`KAFKA_ROW_SENDER_${name}`, value]));
}

for (const mode of LOCK_MODES) {
  describe(`innodb_autoinc_lock_mode ${mode}`, { concurrency: true }, () => {
    const world = new World(mode);
    before(() => world.open());
    after(() => world.close());
    for (const level of LEVELS) {
      for (const each of CASES) {
        const table = `t_${LEVELS.indexOf(level)}_${CASES.indexOf(each)}`;
        test(`I1: ${each.name}, at ${level}`, () => world.prove(each, table, level));
      }
    }
  });
}

// After the servers are gone.
failOnLeaks();
