/** A TCP relay in front of the database that counts one process's statements, whatever the server can or may tell. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface StatementCounter {
  readonly host: string;
  readonly port: number;
  readonly statements: number;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const HEADER_BYTES = 4;

/** Packets with sequence number 0 begin a command (protocol: client/server packet header). */
class CommandParser {
  commands = 0;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #bodyLeft = 0;

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= taken;
        at += taken;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] as number;
      if (this.#headerBytes < HEADER_BYTES) continue;
      this.#headerBytes = 0;
      this.#bodyLeft = this.#header.readUIntLE(0, 3);
      if (this.#header[3] === 0) this.commands += 1;
    }
  }
}

export async function countStatements(target: {
  readonly host: string;
  readonly port: number;
}): Promise<StatementCounter> {
  const parsers: CommandParser[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const parser = new CommandParser();
    parsers.push(parser);
    const upstream = connect({ ...target, noDelay: true });
    client.on('data', (chunk: Buffer) => parser.feed(chunk));
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  return {
    host: HOST,
    port: address === null || typeof address === 'string' ? 0 : address.port,
    get statements() {
      return parsers.reduce((sum, { commands }) => sum + commands, 0);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
