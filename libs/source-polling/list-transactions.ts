/**
 * The running transactions of an InnoDB server that may own ids of a table: the evidence of gap mode `transactions`.
 *
 * The server keeps a copy of `information_schema.innodb_trx` and renews it only when nobody has read it for 0.1 s, so that a
 * program that polls it faster freezes it for everybody (tried on MariaDB 10.11). So a list proves that it is fresh: the copy
 * holds the text of the statement that each connection was executing, and it must hold the text of this very question.
 *
 * A transaction that holds no lock and has written nothing owns no id: an INSERT locks its table, in intention, before anything
 * else, and keeps that lock to the end of the transaction (tried for each statement of the contract, waiting and undone).
 */
import type { Pool, Session } from '#database';
import type { RunningTransaction, TransactionList } from '#outbox';
import type { Clock } from '#runtime';

interface TransactionColumns {
  readonly connection: string | null;
  readonly started: string;
  readonly id: string | null;
  readonly locks: string | number;
  readonly tables: string | number;
  readonly query: string | null;
  readonly own: string;
  readonly server: string;
}

/** More are not listed: then the list is not whole. */
const TRANSACTIONS_MAX = 10_000;
/** The server's copy may be renewed so long after it was last read, which is a moment before the answer is here. */
const COPY_MS = 101;
/** Where somebody else reads it as well. */
const OTHERS_COPY_MS = 110;
/** Others who read the copy are evaded by a chance pause, longer each time. */
const JITTER_MS = 60;
const DEADLINE_MS = 2_500;
/** Ids from here on are not the engine's: a transaction that only reads gets such a number to be shown by. */
const WRITE_IDS_END = 2n ** 47n;

let asked = 0;

/** Each reading keeps the server from renewing what it shows, so that all who ask through one pool share their lists. */
const listers = new WeakMap<Pool, TransactionLister>();

export function listerOf(pool: Pool, clock: Clock): TransactionLister {
  const known = listers.get(pool) ?? new TransactionLister(pool, clock);
  listers.set(pool, known);
  return known;
}

export class TransactionLister {
  readonly #pool: Pool;
  readonly #clock: Clock;
  #underWay: Promise<TransactionList | null> | null = null;
  #next: Promise<TransactionList | null> | null = null;
  /** When the server's copy was last read from here. */
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(pool: Pool, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
  }

  /**
   * Null when the server's copy could not be had fresh in time, or was too long. Callers share: a list that begins after the
   * call is good for all who wait. Rejects with DB_REFUSED without the PROCESS privilege.
   */
  list(): Promise<TransactionList | null> {
    if (this.#next !== null) return this.#next;
    const before = this.#underWay;
    if (before === null) return this.#begin();
    const begin = () => this.#begin();
    this.#next = before.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<TransactionList | null> {
    this.#next = null;
    const list = this.#begun();
    this.#underWay = list;
    const end = () => {
      if (this.#underWay === list) this.#underWay = null;
    };
    list.then(end, end);
    return list;
  }

  /** Read too soon, the copy would be stale and stay so for longer. */
  async #begun(): Promise<TransactionList | null> {
    const waitMs = this.#readMs + COPY_MS - this.#clock.nowMs();
    if (waitMs > 0) await this.#clock.sleep(waitMs);
    try {
      return await this.#pool.useUrgently((session) => listOn(session, this.#clock));
    } finally {
      this.#readMs = this.#clock.nowMs();
    }
  }
}

async function listOn(session: Session, clock: Clock): Promise<TransactionList | null> {
  const untilMs = clock.nowMs() + DEADLINE_MS;
  await session.run('START TRANSACTION WITH CONSISTENT SNAPSHOT');
  for (let attempt = 1; ; attempt += 1) {
    asked += 1;
    const mark = `kafka-row-sender asks ${process.pid}.${asked}.${Math.floor(Math.random() * 1e9)}`;
    const rows = await session.query<TransactionColumns>(
      `/* ${mark} */ SELECT CAST(trx_mysql_thread_id AS CHAR) AS connection, CAST(trx_started AS CHAR) AS started, CAST(trx_id AS CHAR) AS id, trx_lock_structs AS locks, trx_tables_locked AS tables, LEFT(trx_query, 80) AS query, CAST(CONNECTION_ID() AS CHAR) AS own, CONCAT(@@hostname, ':', @@port, '/', @@server_id) AS server FROM information_schema.innodb_trx LIMIT ${TRANSACTIONS_MAX}`,
    );
    const own = rows.find(({ connection, own: mine }) => connection === mine);
    const isFresh = own?.query?.includes(mark) === true;
    const pauseMs = OTHERS_COPY_MS + Math.random() * JITTER_MS * attempt;
    if (isFresh || clock.nowMs() + pauseMs >= untilMs) {
      await session.run('ROLLBACK');
      if (!isFresh || rows.length >= TRANSACTIONS_MAX) return null;
      return { server: own.server, transactions: rows.filter((row) => row !== own && mayOwnIds(row)).map(toRunning) };
    }
    await clock.sleep(pauseMs);
  }
}

const mayOwnIds = ({ locks, tables, id }: TransactionColumns): boolean =>
  Number(locks) > 0 || Number(tables) > 0 || writeId(id) !== null;

const toRunning = ({ connection, started, id }: TransactionColumns): RunningTransaction => ({
  connection: connection === '0' ? null : connection,
  startedAt: started,
  id: writeId(id),
});

function writeId(id: string | null): string | null {
  if (id === null || !/^\d+$/.test(id)) return null;
  const number = BigInt(id);
  return number > 0n && number < WRITE_IDS_END ? id : null;
}
