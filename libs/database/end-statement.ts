/**
 * Ends on the server what was given up here. A statement whose deadline has passed goes on at the server: it waits for its lock, or
 * holds what others wait for. Its connection is closed, which the server does not notice while it works; so a second session kills it.
 */
import { type RelayError, withDeadline } from '#runtime';
import type { DatabaseOptions } from './options.ts';
import type { Session } from './session.ts';
import type { Ender, GivenUp } from './session-facts.ts';

/** Waiting to be ended; what comes past it is left to the limits that the session itself has at the server. */
const WAITING_MAX = 100;
/** What a unix socket's connections have in common tells nothing; this much of the text does. */
const SQL_COMPARED = 40;

type Open = (options: DatabaseOptions) => Promise<Session>;

export class StatementEnder implements Ender {
  readonly #options: DatabaseOptions;
  readonly #open: Open;
  readonly #waiting: GivenUp[] = [];
  #ending: Promise<void> | null = null;
  /** Connections killed so far. */
  ended = 0;

  constructor(options: DatabaseOptions, open: Open) {
    this.#options = { ...options, writable: false };
    this.#open = open;
  }

  end(given: GivenUp): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push(given);
    this.#ending ??= this.#endAll()
      .catch((_: RelayError) => this.#waiting.splice(0))
      .then(() => {
        this.#ending = null;
      });
  }

  /** Resolves when nothing is waiting to be ended, or after `deadlineMs`. */
  async settled(deadlineMs: number): Promise<void> {
    if (this.#ending !== null) await withDeadline(this.#ending, deadlineMs, 'ending statements').catch(() => undefined);
  }

  async #endAll(): Promise<void> {
    const session = await this.#open(this.#options);
    try {
      for (let given = this.#waiting.shift(); given !== undefined; given = this.#waiting.shift()) {
        if (session.server === given.server && (await isStillThere(session, given))) {
          await session.run(`KILL ${given.threadId}`);
          this.ended += 1;
        }
      }
    } finally {
      await session.close();
    }
  }
}

/** Numbers of connections begin anew with the server: it must be that very one, so that nobody else's statement is ended. */
async function isStillThere(session: Session, { threadId, client, sql }: GivenUp): Promise<boolean> {
  const [row] = await session.query<{ client: string; statement: string | null }>(
    'SELECT HOST AS client, INFO AS statement FROM information_schema.PROCESSLIST WHERE ID = ?',
    [threadId],
  );
  if (row === undefined || row.client !== client) return false;
  if (/:\d+$/.test(client)) return true;
  return row.statement?.startsWith(sql.slice(0, SQL_COMPARED)) ?? false;
}
