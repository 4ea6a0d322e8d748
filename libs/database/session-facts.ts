/** What a session knows of its other end, and how it says what it leaves there. */

export interface ServerIdentity {
  /** Equal for sessions on one server. Null where servers stand for one another (TiDB, SingleStore) or do not say who they are. */
  readonly server: string | null;
  /** For people. */
  readonly hostName: string;
  /** The connection's number at the server itself, whatever a proxy between said. */
  readonly threadId: number;
  /** This connection's other end as the server sees it; null where it does not say. */
  readonly client: string | null;
}

/** A connection with a statement that nobody waits for any more. */
export interface GivenUp {
  readonly threadId: number;
  readonly server: string | null;
  readonly client: string;
  /** The statement's text, without values for one that was prepared. */
  readonly sql: string;
}

export interface Ender {
  /** Returns at once; what fails is left to the server's own limits. */
  end(given: GivenUp): void;
}
