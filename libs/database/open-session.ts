/** Connects, logs in and sets the session up, within one deadline; of several addresses the first that serves. */
import { RelayError, withDeadline } from '#runtime';
import { AddressBook } from './addresses.ts';
import { asDatabaseError } from './as-database-error.ts';
import { connectFault, createConnection } from './connect-fault.ts';
import { placeOf } from './connection-options.ts';
import { detectEngine, EngineMemory } from './detect-engine.ts';
import { StatementEnder } from './end-statement.ts';
import type { DatabaseOptions } from './options.ts';
import { identify } from './server-identity.ts';
import { Session } from './session.ts';
import { askFreely, setUp } from './session-setup.ts';

/** What earlier sessions of the same options found out. */
export class ServerMemory {
  readonly engine = new EngineMemory();
  readonly addresses: AddressBook;
  /** Settings that a server would not take. */
  readonly unknownSettings = new Set<string>();

  constructor(addresses = new AddressBook()) {
    this.addresses = addresses;
  }
}

/** Ends statements with sessions of its own, whose own statements nobody ends. */
export const createEnder = (options: DatabaseOptions): StatementEnder =>
  new StatementEnder(options, (own) => openSession(own, new ServerMemory(), null));

/**
 * A session that is the caller's alone (a lock, a long transaction); everything else takes one from a pool.
 * Throws DB_UNREACHABLE, DB_REFUSED, DB_SCHEMA (unknown database), DB_UNSUPPORTED, and DB_READ_ONLY with `options.writable`.
 */
export async function openSession(
  options: DatabaseOptions,
  memory: ServerMemory = new ServerMemory(),
  ender: StatementEnder | null = createEnder(options),
): Promise<Session> {
  const addresses = options.socketPath ? [null] : await memory.addresses.of(options.host);
  for (const [at, address] of addresses.entries()) {
    try {
      // Each of those that are left has the same share of the time.
      const session = await openAt(options, address, memory, ender, options.connectTimeoutMs / addresses.length);
      memory.addresses.served(address);
      return session;
    } catch (thrown) {
      const error = asDatabaseError(thrown, `connecting to ${placeOf(options, address)}`);
      const mayServe = error.code === 'DB_UNREACHABLE' || error.code === 'DB_READ_ONLY';
      if (!mayServe || at === addresses.length - 1) throw error;
    }
  }
  throw new RelayError('INTERNAL', 'a host without an address was connected to');
}

async function openAt(
  options: DatabaseOptions,
  address: string | null,
  memory: ServerMemory,
  ender: StatementEnder | null,
  deadlineMs: number,
): Promise<Session> {
  const { connection, tlsCode } = createConnection(options, address);
  // mysql2 reports one fault several times; after the first we are no longer interested, and nobody else may be surprised.
  connection.on('error', () => undefined);
  const ready = async (): Promise<Session> => {
    await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
    const session = new Session(connection, options.readTimeoutMs, ender);
    await askFreely(session);
    session.engine = await detectEngine(session, memory.engine);
    const { kind } = session.engine;
    await setUp(session, kind, options, memory.unknownSettings);
    session.identity = await identify(session, kind, options.writable ?? false);
    return session;
  };
  try {
    return await withDeadline(ready(), deadlineMs, 'connecting to the database');
  } catch (thrown) {
    connection.destroy();
    throw connectFault(thrown, options, address, tlsCode());
  }
}
