/**
 * What the file of a setting holds now: secrets and certificates are changed while a process runs, and the next connection is made with
 * what is there then. A file that is away, empty or not what it should be leaves the text in force that was read last: it may be written
 * at this very moment, and a process whose secret was taken away after its start goes on.
 */
import type { SslConfig } from './config.ts';
import { isPem } from './mask-value.ts';
import { type FileText, readSecretFile, readSmallFile } from './read-secret-file.ts';

/** `text` is what was read at the start. Never throws. */
function fresh(text: string, file: string | null, read: (path: string) => FileText): () => string {
  if (file === null) return () => text;
  let last = text;
  return () => {
    const now = read(file);
    if ('text' in now) last = now.text;
    return last;
  };
}

/** For a password or another secret. */
export const freshSecret = (text: string, file: string | null): (() => string) => fresh(text, file, readSecretFile);

function readPemFile(path: string): FileText {
  const file = readSmallFile(path);
  return 'text' in file && !isPem(file.text) ? { problem: 'the file holds no PEM' } : file;
}

/** Certificates, key and passphrase as they are now; null where unset. */
export interface FreshSsl {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
  readonly verify: boolean;
}

export function freshSsl({ ca, cert, key, passphrase, verify, files }: SslConfig): () => FreshSsl {
  const pem = (text: string | null, file: string | null) =>
    text === null ? () => null : fresh(text, file, readPemFile);
  const parts = {
    ca: pem(ca, files.ca),
    cert: pem(cert, files.cert),
    key: pem(key, files.key),
    passphrase: passphrase === null ? () => null : freshSecret(passphrase, files.passphrase),
  };
  return () => ({
    ca: parts.ca(),
    cert: parts.cert(),
    key: parts.key(),
    passphrase: parts.passphrase(),
    verify,
  });
}
