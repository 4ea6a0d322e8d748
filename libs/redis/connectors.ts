/**
 * How sockets to Redis are opened. ioredis listens for the first error of a socket only; TLS may tell of two (the certificate that we refuse,
 * and the server's alert about ours), and the second would end the process.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AbstractConnector, SentinelConnector } from 'ioredis';

/** As ioredis spells it: it keeps quiet about a connection that ends because we end it. */
const CLOSED_BY_US = 'Connection is closed.';

interface ServerOptions {
  readonly host?: string;
  readonly port?: number;
  readonly tls?: ConnectionOptions;
  readonly disconnectTimeout: number;
}

type Emit = Parameters<AbstractConnector['connect']>[0];
type Stream = Awaited<ReturnType<AbstractConnector['connect']>>;

const everyErrorHeard = <S extends Pick<Socket, 'on'>>(stream: S): S => {
  stream.on('error', () => undefined);
  return stream;
};

export class ServerConnector extends AbstractConnector {
  readonly #options: ServerOptions;

  constructor(options: unknown) {
    const given = options as ServerOptions;
    super(given.disconnectTimeout);
    this.#options = given;
  }

  override connect(): Promise<Stream> {
    const { host = 'localhost', port = 6379, tls } = this.#options;
    this.connecting = true;
    return new Promise((resolve, reject) => {
      process.nextTick(() => {
        if (!this.connecting) return reject(new Error(CLOSED_BY_US));
        try {
          const socket = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port });
          this.stream = everyErrorHeard(socket);
          socket.once('error', (error) => {
            this.firstError = error;
          });
          resolve(socket);
        } catch (error) {
          // Such as a private key that is none.
          reject(error);
        }
      });
    });
  }
}

export class PrimaryConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as ConstructorParameters<typeof SentinelConnector>[0]);
  }

  override async connect(emit: Emit): Promise<Stream> {
    return everyErrorHeard(await super.connect(emit));
  }
}
