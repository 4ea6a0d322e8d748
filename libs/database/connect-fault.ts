/** A new connection, and the fault of one that could not be made: what failed, why, and what mends it. */
import mysql, { type Connection } from 'mysql2';
import { RelayError } from '#runtime';
import { asDatabaseError } from './as-database-error.ts';
import { connectionOptions, placeOf, sslNow } from './connection-options.ts';
import { explainLogin } from './explain-login.ts';
import type { DatabaseOptions } from './options.ts';

export interface NewConnection {
  readonly connection: Connection;
  /** Of a TLS handshake that failed; null otherwise. */
  readonly tlsCode: () => string | null;
}

/** Throws DB_REFUSED for a key or certificate that cannot be used: it may be mended on disk before the next attempt. */
export function createConnection(options: DatabaseOptions, address: string | null): NewConnection {
  try {
    const connection = mysql.createConnection(connectionOptions(options, address));
    return { connection, tlsCode: keepTlsCode(connection) };
  } catch (thrown) {
    throw connectFault(thrown, options, address, null);
  }
}

/** mysql2 writes a code of its own over the one of a failed TLS handshake, which tells what is wrong. */
function keepTlsCode(connection: Connection): () => string | null {
  const host = connection as unknown as { startTLS(done: (error?: { code?: string }) => void): void };
  const startTls = host.startTLS.bind(connection);
  let code: string | null = null;
  host.startTLS = (done) => {
    const end = (error?: { code?: string }) => {
      code = error?.code ?? null;
      done(error);
    };
    try {
      startTls(end);
    } catch (error) {
      end(error as { code?: string });
    }
  };
  return () => code;
}

/** Says where, and what mends it where the code tells. */
export function connectFault(
  thrown: unknown,
  options: DatabaseOptions,
  address: string | null,
  tlsCode: string | null,
): RelayError {
  const what = `connecting to ${placeOf(options, address)}`;
  // Where every address of a host failed, Node's error has no text of its own.
  if (thrown instanceof AggregateError && thrown.message === '') {
    thrown.message = thrown.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ');
  }
  const error = asDatabaseError(thrown, what);
  // A server that does not answer in time while connecting is away, whatever we were doing with it.
  if (error.code === 'DEADLINE_EXCEEDED') {
    return new RelayError('DB_UNREACHABLE', `${what}: no answer in time; check DB_HOST and DB_PORT`);
  }
  if (error.code === 'DB_READ_ONLY') {
    return new RelayError('DB_READ_ONLY', `${what}: ${error.message}`, { details: error.details });
  }
  const { errno, driverCode } = error.details;
  const ssl = sslNow(options);
  const told = { ...options, encrypted: ssl !== null, certified: (ssl?.cert ?? null) !== null };
  const number = typeof errno === 'number' && errno > 0 ? errno : undefined;
  const advice = explainLogin(number, tlsCode ?? (typeof driverCode === 'string' ? driverCode : undefined), told);
  if (advice === null) return error;
  return new RelayError(error.code, `${error.message}; ${advice}`, { cause: thrown, details: error.details });
}
