/** What a caller says about the database server: the whole of it, small enough for every app to fill from its settings. */

export interface DatabaseSslOptions {
  /** PEM; null trusts the certificate authorities Node ships with. */
  readonly ca: string | Buffer | null;
  readonly cert: string | Buffer | null;
  readonly key: string | Buffer | null;
  /** Of the key, where it is encrypted. */
  readonly passphrase?: string | null;
  /** True checks the chain and the host name both; mysql2 alone would check only the chain. */
  readonly verify: boolean;
}

export interface DatabaseOptions {
  readonly host: string;
  readonly port: number;
  /** A unix socket instead of host and port, which then only name the server; null or absent: TCP. */
  readonly socketPath?: string | null;
  readonly user: string;
  /** A function is asked again for every connection, so that a rotated secret is picked up. */
  readonly password: string | (() => string);
  /** Null connects without a default database. */
  readonly database: string | null;
  /** Bounds connecting, logging in and setting the session up, together. */
  readonly connectTimeoutMs: number;
  /** Bounds each statement, from sending it to its last row. */
  readonly readTimeoutMs: number;
  /** A function is asked again for every connection, so that rotated certificates are picked up. */
  readonly ssl: DatabaseSslOptions | (() => DatabaseSslOptions) | null;
  /** Shown by the server as the program's name (performance_schema.session_connect_attrs). */
  readonly applicationName?: string;
  /** Refuse a server that this account may not write to (DB_READ_ONLY), and look for another one; false unless said. */
  readonly writable?: boolean;
  /** Connections a pool opens at most; 8 unless said. */
  readonly connectionsMax?: number;
}

export const CONNECTIONS_MAX_DEFAULT = 8;
