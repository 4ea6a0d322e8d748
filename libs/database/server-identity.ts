/**
 * Which server a session is on, and whether it may be written to. A name, an address or a proxy may lead to another server from one
 * connection to the next; what was found out on the one need not hold on the other.
 */
import { RelayError } from '#runtime';
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { EngineKind } from './engine.ts';
import type { Session } from './session.ts';
import type { ServerIdentity } from './session-facts.ts';

const NOBODY: ServerIdentity = { server: null, hostName: '', threadId: 0, client: null };
const CLIENT =
  'CONNECTION_ID() AS thread_number, (SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()) AS client_address';
const NAMES = '@@hostname AS host_name, @@port AS port_number, @@server_id AS server_number';

function questionOf(kind: EngineKind): string {
  switch (kind) {
    case 'mariadb':
      return `SELECT ${NAMES}, '' AS server_mark, @@innodb_read_only AS is_read_only, ${CLIENT}`;
    case 'mysql':
      return `SELECT ${NAMES}, @@server_uuid AS server_mark, @@innodb_read_only AS is_read_only, ${CLIENT}`;
    default:
      return `SELECT ${CLIENT}`;
  }
}

const ofServer = (kind: EngineKind): boolean => kind === 'mariadb' || kind === 'mysql';

/**
 * Rejects with DB_READ_ONLY when `writable` is asked of a server that this account may not write to: a replica, or a primary that
 * was demoted. What is asked only to know it is left out where the server does not answer it.
 */
export async function identify(session: Session, kind: EngineKind, writable: boolean): Promise<ServerIdentity> {
  const row = await ask(session, kind);
  if (row === null) return NOBODY;
  const identity = {
    server: ofServer(kind) ? [row.host_name, row.port_number, row.server_number, row.server_mark].join('/') : null,
    hostName: String(row.host_name ?? ''),
    threadId: Number(row.thread_number),
    client: typeof row.client_address === 'string' ? row.client_address : null,
  };
  if (writable && ofServer(kind)) {
    if (Number(row.is_read_only ?? 0) === 1) throw readOnly(identity.hostName);
    await probe(session, identity.hostName);
  }
  return identity;
}

async function ask(session: Session, kind: EngineKind): Promise<Record<string, unknown> | null> {
  try {
    const [row] = await session.query(questionOf(kind));
    return row ?? null;
  } catch (thrown) {
    const error = asDatabaseError(thrown, 'asking the database who it is');
    // No such variable or table here, or no right to see it.
    if (!session.broken && errnoOf(error) !== null && error.code !== 'DB_READ_ONLY') return null;
    throw error;
  }
}

/** Only an account that may write in spite of --read-only may begin such a transaction then; it costs nothing and changes nothing. */
async function probe(session: Session, hostName: string): Promise<void> {
  try {
    await session.run('START TRANSACTION READ WRITE');
  } catch (thrown) {
    const error = asDatabaseError(thrown, 'START');
    throw error.code === 'DB_READ_ONLY' ? readOnly(hostName) : error;
  }
  await session.run('ROLLBACK');
}

/** For a session outside of a transaction. Throws DB_READ_ONLY, and gives the session up, when it may not write any more. */
export async function requireWritable(session: Session): Promise<void> {
  if (ofServer(session.engine.kind)) await probe(session, session.server ?? '');
}

const readOnly = (hostName: string): RelayError =>
  new RelayError(
    'DB_READ_ONLY',
    `the server ${hostName} is read-only for this account: a replica, or a primary that was demoted; the other addresses of the name and later connections are tried`,
    { details: { server: hostName } },
  );
