/**
 * A proxy before a MySQL-protocol server that presents another version and comment, as managed services, packagers and
 * proxies do: in the greeting, and wherever the server's own words stand as a value in an answer. Everything else passes.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import mysql from 'mysql2/promise';
import { type DatabaseAddress, testEnvironment } from './test-environment.ts';

export interface ServerNames {
  readonly version: string;
  readonly comment: string;
}

export interface RenamingProxy extends DatabaseAddress {
  /** What the server calls itself without the proxy. */
  readonly before: ServerNames;
  stop(): Promise<void>;
}

const HEADER_BYTES = 4;
/** Names stand in small answers; row data passes as it is. */
const REWRITTEN_BYTES_MAX = 65_536;

export async function startRenamingProxy(
  names: ServerNames,
  target: DatabaseAddress = testEnvironment().database,
): Promise<RenamingProxy> {
  const before = await readNames(target);
  const rename = renamer(before, names);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: target.host, port: target.port, noDelay: true });
    client.pipe(upstream);
    passPackets(upstream, client, rename);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
  return {
    ...target,
    host: '127.0.0.1',
    port: address.port,
    before,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readNames({ host, port, user, password }: DatabaseAddress): Promise<ServerNames> {
  const connection = await mysql.createConnection({ host, port, user, password });
  try {
    const [rows] = await connection.query<mysql.RowDataPacket[]>(
      'SELECT VERSION() AS version, @@version_comment AS comment',
    );
    return { version: String(rows[0]?.version), comment: String(rows[0]?.comment) };
  } finally {
    await connection.end();
  }
}

/** Hands each packet of the server on, renamed where it is small enough to be an answer with names in it. */
function passPackets(upstream: Socket, client: Socket, rename: (payload: Buffer, isGreeting: boolean) => Buffer): void {
  let rest: Buffer = Buffer.alloc(0);
  let isGreeting = true;
  upstream.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= HEADER_BYTES + rest.readUIntLE(0, 3)) {
      const end = HEADER_BYTES + rest.readUIntLE(0, 3);
      const payload = rest.subarray(HEADER_BYTES, end);
      const renamed = payload.length > REWRITTEN_BYTES_MAX ? payload : rename(payload, isGreeting);
      const header = Buffer.from(rest.subarray(0, HEADER_BYTES));
      header.writeUIntLE(renamed.length, 0, 3);
      client.write(Buffer.concat([header, renamed]));
      rest = rest.subarray(end);
      isGreeting = false;
    }
  });
}

/** A value in a text row is its length, in one byte here, and its bytes. */
const rowValue = (text: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

function renamer(before: ServerNames, after: ServerNames): (payload: Buffer, isGreeting: boolean) => Buffer {
  const values = [
    [rowValue(before.version), rowValue(after.version)],
    [rowValue(before.comment), rowValue(after.comment)],
  ] as const;
  return (payload, isGreeting) => {
    if (isGreeting) {
      const end = payload.indexOf(0, 1);
      return Buffer.concat([payload.subarray(0, 1), Buffer.from(after.version), payload.subarray(end)]);
    }
    return values.reduce((bytes, [from, to]) => {
      const at = bytes.indexOf(from);
      return at < 0 ? bytes : Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + from.length)]);
    }, payload);
  };
}
