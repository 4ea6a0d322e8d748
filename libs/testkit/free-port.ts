/** A TCP port on the loopback interface that nobody listens on right now. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** The port is free when this resolves; somebody else may still take it before the caller does. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** `preferred` when nobody listens on it, otherwise any free port. */
export async function freePortNear(preferred: number): Promise<number> {
  try {
    return await freePort(preferred);
  } catch {
    return await freePort();
  }
}
