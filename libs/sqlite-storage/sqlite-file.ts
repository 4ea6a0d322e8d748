/**
 * One connection to an SQLite file, shared with the application: WAL, so that readers and the writer do not wait for each
 * other; every commit synced, since a row that Kafka has must not vanish from the file with a power cut.
 *
 * node:sqlite is synchronous. A transaction here begins, works and commits within one turn of the event loop, so no other
 * code of this process, the application's included, ever finds it open; and the connection never waits inside SQLite
 * (its busy timeout is 0): while somebody else writes, the turn ends and the attempt is made again, up to a deadline.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { backoffMs, type Clock, nextTurn, type Random, RelayError, systemClock, systemRandom } from '#runtime';
import { asSqliteError, isBusy } from './as-sqlite-error.ts';
import { loadSqlite } from './load-sqlite.ts';

export interface SqliteFileOptions {
  readonly path: string;
  /** Make the file when there is none. Otherwise a missing file is DB_UNREACHABLE: nobody meant an empty database. */
  readonly create?: boolean;
  /** How long a transaction waits for others that write, in all. */
  readonly busyDeadlineMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What a transaction works with. Statements are prepared once a text. */
export interface SqliteStatements {
  /** Resolves to the number of rows changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number;
  get<T>(sql: string, ...values: readonly SQLInputValue[]): T | undefined;
  all<T>(sql: string, ...values: readonly SQLInputValue[]): readonly T[];
  /** For texts of the application's tables: integers as bigint, rows as arrays. */
  prepare(sql: string): StatementSync;
}

const BUSY_DEADLINE_MS_DEFAULT = 30_000;
const BUSY_PAUSE = { baseMs: 1, maxMs: 25 };
/** After a transaction that held the lock for long the application gets a turn: its busy handler looks every few ms. */
const BREATH_SHARE = 0.5;
const BREATH_MS_MAX = 20;
/** How often it is made sure that the path still names the file that is open. */
const MOVED_CHECK_MS = 1_000;
const STATEMENTS_MAX = 500;

const BUSY = Symbol('busy');

/** Throws DB_UNREACHABLE without a file, DB_UNSUPPORTED for a file that is no database or cannot be in WAL mode. */
export async function openSqliteFile(options: SqliteFileOptions): Promise<SqliteFile> {
  const path = resolve(options.path);
  if (!options.create && !existsSync(path)) {
    throw new RelayError('DB_UNREACHABLE', `there is no file ${path}: let the application or init make it`);
  }
  const file = new SqliteFile(path, options);
  try {
    await file.enterWal();
    return file;
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

export class SqliteFile {
  /** Absolute. */
  readonly path: string;
  readonly clock: Clock;
  readonly #random: Random;
  readonly #busyDeadlineMs: number;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #inode: bigint;
  #movedCheckAtMs = Number.NEGATIVE_INFINITY;
  /** When the next transaction may begin, so that the application gets its turn. */
  #breatheUntilMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, options: SqliteFileOptions) {
    this.path = path;
    this.clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#busyDeadlineMs = options.busyDeadlineMs ?? BUSY_DEADLINE_MS_DEFAULT;
    try {
      this.#db = new (loadSqlite().DatabaseSync)(path, { timeout: 0 });
      this.#inode = statSync(path, { bigint: true }).ino;
    } catch (thrown) {
      throw asSqliteError(thrown, `opening ${path}`);
    }
  }

  /** A transaction that writes, alone: BEGIN IMMEDIATE to COMMIT in one turn. `work` may be run again after a busy file. */
  write<T>(work: (sql: SqliteStatements) => T): Promise<T> {
    return this.#untilFree(() => this.#transact('BEGIN IMMEDIATE', work));
  }

  /** One snapshot of the file. */
  read<T>(work: (sql: SqliteStatements) => T): Promise<T> {
    return this.#untilFree(() => this.#transact('BEGIN', work));
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  /** WAL is a property of the file: set once, kept by every connection after. */
  async enterWal(): Promise<void> {
    await this.#untilFree(() => {
      const row = this.#db.prepare('PRAGMA journal_mode = WAL').get();
      if (row?.journal_mode !== 'wal') {
        throw new RelayError('DB_UNSUPPORTED', `${this.path} cannot be in WAL mode: it must be a file on a local disk`);
      }
      this.#db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON');
    });
  }

  async #untilFree<T>(attempt: () => T): Promise<T> {
    const { clock } = this;
    const deadlineMs = clock.nowMs() + this.#busyDeadlineMs;
    // Without it a writer with a backlog would go from promise to promise, and nothing else in the process would have its turn.
    await nextTurn();
    for (let busy = 1; ; busy += 1) {
      const breathMs = this.#breatheUntilMs - clock.nowMs();
      if (breathMs > 0) await clock.sleep(breathMs);
      const outcome = this.#once(attempt);
      if (outcome !== BUSY) return outcome;
      if (clock.nowMs() >= deadlineMs) {
        const waited = `${this.#busyDeadlineMs / 1_000} s`;
        throw new RelayError('DB_TRANSIENT', `${this.path} was written to by others for ${waited} without a break`);
      }
      await clock.sleep(backoffMs(busy, BUSY_PAUSE, this.#random));
    }
  }

  #once<T>(attempt: () => T): T | typeof BUSY {
    this.#refuseMoved();
    try {
      return attempt();
    } catch (thrown) {
      if (isBusy(thrown)) return BUSY;
      throw asSqliteError(thrown, this.path);
    }
  }

  #transact<T>(begin: string, work: (sql: SqliteStatements) => T): T {
    this.#statement(begin).run();
    const beganMs = this.clock.nowMs();
    let result: T;
    try {
      result = work(this.#asStatements());
    } catch (thrown) {
      this.#rollBack();
      throw thrown;
    }
    this.#commit();
    const heldMs = this.clock.nowMs() - beganMs;
    if (begin !== 'BEGIN') {
      this.#breatheUntilMs = this.clock.nowMs() + Math.min(BREATH_MS_MAX, Math.floor(heldMs * BREATH_SHARE));
    }
    return result;
  }

  #commit(): void {
    try {
      this.#statement('COMMIT').run();
    } catch (thrown) {
      // Still open: certainly not committed. Otherwise SQLite ended it in one way or the other, and the caller looks.
      if (this.#db.isTransaction) {
        this.#rollBack();
        throw thrown;
      }
      throw new RelayError('DB_COMMIT_UNKNOWN', `the outcome of a commit to ${this.path} is not known`, {
        cause: thrown,
      });
    }
  }

  #rollBack(): void {
    if (!this.#db.isTransaction) return;
    try {
      this.#statement('ROLLBACK').run();
    } catch {
      // Some faults roll back by themselves; what brought us here is what the caller hears.
    }
  }

  /** A file deleted or replaced goes on to exist for us alone: nobody would see what we write, or we what they write. */
  #refuseMoved(): void {
    const nowMs = this.clock.nowMs();
    if (nowMs - this.#movedCheckAtMs < MOVED_CHECK_MS) return;
    this.#movedCheckAtMs = nowMs;
    const found = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (found?.ino === this.#inode) return;
    throw new RelayError(
      'INVARIANT_BROKEN',
      `${this.path} was ${found === undefined ? 'deleted' : 'replaced'} while it was open here: restart the relay`,
    );
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #asStatements(): SqliteStatements {
    return {
      run: (sql, ...values) => Number(this.#statement(sql).run(...values).changes),
      get: <T>(sql: string, ...values: readonly SQLInputValue[]) =>
        this.#statement(sql).get(...values) as T | undefined,
      all: <T>(sql: string, ...values: readonly SQLInputValue[]) => this.#statement(sql).all(...values) as T[],
      prepare: (sql) => {
        const statement = this.#db.prepare(sql);
        statement.setReadBigInts(true);
        statement.setReturnArrays(true);
        return statement;
      },
    };
  }
}
