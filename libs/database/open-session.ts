/** Connects, logs in and sets the session up, within one deadline. */

import { connect as connectSocket, isIP, type Socket } from 'node:net';
import mysql, { type ConnectionOptions } from 'mysql2';
import { RelayError, withDeadline } from '#runtime';
import { asDatabaseError } from './as-database-error.ts';
import { detectEngine, EngineMemory } from './detect-engine.ts';
import type { DatabaseOptions, DatabaseSslOptions } from './options.ts';
import { Session } from './session.ts';
import { setupStatements } from './session-setup.ts';

/** Prepared statements kept per connection: ours are a few dozen fixed texts. */
const PREPARED_STATEMENTS_MAX = 200;

function sslOf(ssl: DatabaseSslOptions): NonNullable<Exclude<ConnectionOptions['ssl'], string>> {
  return {
    ...(ssl.ca === null ? {} : { ca: ssl.ca }),
    ...(ssl.cert === null ? {} : { cert: ssl.cert }),
    ...(ssl.key === null ? {} : { key: ssl.key }),
    rejectUnauthorized: ssl.verify,
    // Off by default in mysql2: without it any certificate of a trusted authority passes for any host.
    verifyIdentity: ssl.verify,
  };
}

/**
 * mysql2 hands TLS a socket and no name when the host is an address, and Node then compares the certificate with `localhost`:
 * the right one was refused, and one for localhost passed for every address. Node takes the name from the socket if it has one.
 * tls.test.ts fails when that is not so any more.
 */
function socketNamed(host: string, port: number): Socket {
  const socket = connectSocket({ host, port, noDelay: true, keepAlive: true });
  return Object.assign(socket, { _host: host });
}

function connectionOptions(options: DatabaseOptions): ConnectionOptions {
  const password = typeof options.password === 'function' ? options.password() : options.password;
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    password,
    ...(options.database === null ? {} : { database: options.database }),
    connectTimeout: options.connectTimeoutMs,
    ...(options.ssl ? { ssl: sslOf(options.ssl) } : {}),
    ...(options.ssl?.verify && isIP(options.host) !== 0
      ? { stream: () => socketNamed(options.host, options.port) }
      : {}),
    ...(options.applicationName ? { connectAttributes: { program_name: options.applicationName } } : {}),
    charset: 'UTF8MB4_GENERAL_CI',
    // Exact values: the caller turns strings into what it needs, nothing passes through a double on the way.
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    jsonStrings: true,
    multipleStatements: false,
    // A server must never be able to ask us for a local file.
    flags: ['-LOCAL_FILES'],
    maxPreparedStatements: PREPARED_STATEMENTS_MAX,
  };
}

/**
 * A session that is the caller's alone (a lock, a long transaction); everything else takes one from a pool. `memory` is what
 * earlier sessions on the same server found out.
 * Throws DB_UNREACHABLE, DB_REFUSED, DB_SCHEMA (unknown database), DB_UNSUPPORTED or DEADLINE_EXCEEDED.
 */
export async function openSession(
  options: DatabaseOptions,
  memory: EngineMemory = new EngineMemory(),
): Promise<Session> {
  const connection = mysql.createConnection(connectionOptions(options));
  // mysql2 reports one fault several times; after the first we are no longer interested, and nobody else may be surprised.
  connection.on('error', () => undefined);
  const setUp = async (): Promise<Session> => {
    await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
    const session = new Session(connection, options.readTimeoutMs);
    session.engine = await detectEngine(session, memory);
    for (const statement of setupStatements(session.engine.kind)) await session.run(statement);
    return session;
  };
  try {
    return await withDeadline(setUp(), options.connectTimeoutMs, 'connecting to the database');
  } catch (thrown) {
    connection.destroy();
    const error = asDatabaseError(thrown, `connecting to ${options.host}:${options.port}`);
    // A server that does not answer in time while connecting is away, whatever we were doing with it.
    if (error.code !== 'DEADLINE_EXCEEDED') throw error;
    throw new RelayError('DB_UNREACHABLE', `connecting to ${options.host}:${options.port}: no answer in time`);
  }
}
