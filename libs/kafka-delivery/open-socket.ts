/**
 * The sockets under kafkajs's connections. TLS options are asked for each time, so that certificates may change on disk. A host with
 * several addresses is tried at each (Node's happy eyeballs), and what that ends with then says something.
 */
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export type TlsOptions = ConnectionOptions | boolean | (() => ConnectionOptions);

interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly onConnect: () => void;
}

const KEEP_ALIVE_DELAY_MS = 60_000;

/** Where every address of a host failed, Node's error has no text of its own. */
function fillText(error: Error): void {
  if (!(error instanceof AggregateError) || error.message !== '') return;
  error.message = error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join(', ');
}

function optionsOf(tls: TlsOptions): ConnectionOptions | null {
  if (typeof tls === 'function') return tls();
  if (typeof tls === 'object') return tls;
  return tls ? {} : null;
}

/** As kafkajs asks for one. Throws what is wrong with keys and certificates. */
export function createSocketFactory(tls: TlsOptions): (request: SocketRequest) => Socket {
  return ({ host, port, onConnect }) => {
    const options = optionsOf(tls);
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket =
      options === null
        ? connect({ host, port }, onConnect)
        : connectTls({ host, port, ...name, ...options }, onConnect);
    socket.prependListener('error', fillText);
    return socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  };
}
