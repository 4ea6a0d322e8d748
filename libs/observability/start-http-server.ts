/** `/healthz`, `/livez`, `/readyz` and `/metrics`, for probes and Prometheus. Small, slow clients are cut off, and close is prompt. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { addressText, asRelayError, type Logger, RelayError, type Stall } from '#runtime';
import type { Metrics } from './create-metrics.ts';

export interface HealthAnswer {
  readonly healthy: boolean;
  readonly reasons: readonly string[];
  /** What a person should know, and is no fault of this process. */
  readonly notes: readonly string[];
  /** What stands, also what makes nobody unhealthy. */
  readonly stalls: readonly (Stall & { readonly text: string })[];
}

export interface ReadyAnswer {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly health: () => HealthAnswer;
  readonly ready: () => ReadyAnswer;
  readonly metrics: Pick<Metrics, 'contentType' | 'render'>;
  readonly logger: Logger;
}

export interface RunningHttpServer {
  readonly host: string;
  readonly port: number;
  /** Stops at once: open connections are cut. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5000;
const TIMEOUT_CHECK_MS = 1000;
const KEEP_ALIVE_MS = 5000;
const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8192;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const JSON_TYPE = 'application/json; charset=utf-8';

function json(status: number, body: object): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(body)}\n` };
}

async function answer(path: string, options: HttpServerOptions): Promise<Answer> {
  if (path === '/healthz') {
    const { healthy, ...rest } = options.health();
    return json(healthy ? 200 : 503, { healthy, ...rest });
  }
  // Whatever the servers do: a restart of this process mends none of them.
  if (path === '/livez') return json(200, { alive: true });
  if (path === '/readyz') {
    const { ready, reasons } = options.ready();
    return json(ready ? 200 : 503, { ready, reasons });
  }
  if (path === '/metrics') {
    return { status: 200, type: options.metrics.contentType, body: await options.metrics.render() };
  }
  return json(404, { error: 'not found' });
}

/** Never rejects: what goes wrong is logged, and the client learns only that it did. */
async function respond(request: IncomingMessage, response: ServerResponse, options: HttpServerOptions): Promise<void> {
  const readable = request.method === 'GET' || request.method === 'HEAD';
  const [path = '/'] = (request.url ?? '/').split('?', 1);
  const failed = (error: unknown) => {
    options.logger.error({ err: asRelayError(error), path }, 'could not answer an HTTP request');
    return json(500, { error: 'internal error' });
  };
  const refused = json(405, { error: 'only GET and HEAD' });
  const { status, type, body } = readable ? await answer(path, options).catch(failed) : refused;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // A body that was sent along is not read, so the connection cannot be used again.
    ...(readable ? {} : { allow: 'GET, HEAD', connection: 'close' }),
  });
  response.end(request.method === 'HEAD' ? '' : body);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message = `cannot listen for HTTP on ${addressText(host, port)} (${error.code ?? 'unknown error'})`;
      reject(new RelayError('CONFIG_INVALID', message, { cause: error }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Resolves when it listens. Rejects with CONFIG_INVALID when the address cannot be listened on. */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    },
    (request, response) => void respond(request, response, options),
  );
  server.maxConnections = CONNECTIONS_MAX;
  const port = await listen(server, options.host, options.port);
  server.on('error', (error) => options.logger.error({ err: error }, 'the HTTP server reported a fault'));
  let closing: Promise<void> | null = null;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    host: options.host,
    port,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
