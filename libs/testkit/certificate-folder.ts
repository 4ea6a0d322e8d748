/** Certificates for tests: authorities, and what they sign, as PEM files in a folder of their own. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBinaries } from './ensure-binary.ts';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

export interface CertificateOptions {
  /** An authority of this folder; `ca` unless given. */
  readonly authority?: string;
  /** The subjectAltName, such as `DNS:localhost,IP:127.0.0.1`. */
  readonly alternative?: string;
  /** How long it is valid; -1 for one that has expired. Default 2. */
  readonly days?: number;
  /** Encrypts the key. */
  readonly passphrase?: string;
}

/** Files are `NAME.crt` and `NAME.key`, and of an authority, `NAME.pem` and `NAME.key`. */
export class CertificateFolder {
  readonly dir: string;
  readonly #openssl: string;

  private constructor(dir: string, openssl: string) {
    this.dir = dir;
    this.#openssl = openssl;
  }

  static async make(): Promise<CertificateFolder> {
    const { openssl } = await ensureBinaries(['openssl']);
    return new CertificateFolder(await mkdtemp(join(tmpdir(), 'krs-certificates-')), openssl);
  }

  path(file: string): string {
    return join(this.dir, file);
  }

  read(file: string): Promise<string> {
    return readFile(this.path(file), 'utf8');
  }

  /** An authority of its own, signed by itself. */
  async authority(name: string): Promise<string> {
    const files = ['-keyout', this.path(`${name}.key`), '-out', this.path(`${name}.pem`)];
    await run(this.#openssl, ['req', '-x509', ...NEW_KEY, '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...files]);
    return this.read(`${name}.pem`);
  }

  async certificate(name: string, options: CertificateOptions = {}): Promise<void> {
    const { authority = 'ca', alternative, days = 2, passphrase } = options;
    const at = (end: string) => this.path(`${name}.${end}`);
    const lock = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
    await run(this.#openssl, [
      'req',
      ...NEW_KEY,
      ...lock,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      at('key'),
      '-out',
      at('csr'),
    ]);
    await writeFile(at('ext'), alternative === undefined ? '' : `subjectAltName=${alternative}\n`);
    const signer = ['-CA', this.path(`${authority}.pem`), '-CAkey', this.path(`${authority}.key`), '-CAcreateserial'];
    const what = ['-in', at('csr'), '-days', String(days), '-extfile', at('ext'), '-out', at('crt')];
    await run(this.#openssl, ['x509', '-req', ...signer, ...what]);
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }
}
