/** TLS options whose certificates are read from their files at each connection, so that those that change on disk are picked up. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisTls } from './redis-target.ts';

/** A file that cannot be read just now, half way through its change, leaves what was read last. */
function fresh(text: string, file: string | null): () => string {
  let last = text;
  return () => {
    if (file === null) return last;
    try {
      last = readFileSync(file, 'utf8');
    } catch {
      // The connection says what is wrong with the old one.
    }
    return last;
  };
}

/** For each client its own. */
export function tlsOptions(tls: RedisTls): ConnectionOptions {
  const options: ConnectionOptions = { rejectUnauthorized: tls.verify };
  // ioredis copies the properties for each connection, and so asks each getter anew.
  for (const part of ['ca', 'cert', 'key'] as const) {
    const text = tls[part];
    if (text === null) continue;
    Object.defineProperty(options, part, { enumerable: true, get: fresh(text, tls.files[part]) });
  }
  return options;
}
