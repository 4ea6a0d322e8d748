/** What the driver is told for one connection. */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'mysql2';
import { addressText } from '#runtime';
import type { DatabaseOptions, DatabaseSslOptions } from './options.ts';
import { signEd25519 } from './sign-ed25519.ts';

/** Prepared statements kept per connection: ours are a few dozen fixed texts. */
const PREPARED_STATEMENTS_MAX = 200;

function sslOf(ssl: DatabaseSslOptions): NonNullable<Exclude<ConnectionOptions['ssl'], string>> {
  return {
    ...(ssl.ca === null ? {} : { ca: ssl.ca }),
    ...(ssl.cert === null ? {} : { cert: ssl.cert }),
    ...(ssl.key === null ? {} : { key: ssl.key }),
    ...(typeof ssl.passphrase === 'string' ? { passphrase: ssl.passphrase } : {}),
    rejectUnauthorized: ssl.verify,
    // Off by default in mysql2: without it any certificate of a trusted authority passes for any host.
    verifyIdentity: ssl.verify,
  };
}

/**
 * mysql2 hands TLS a socket and no name when the host is an address, and Node then compares the certificate with `localhost`:
 * the right one was refused, and one for localhost passed for every address. Node takes the name from the socket if it has one.
 * tls.test.ts fails when that is not so any more.
 */
function socketNamed(host: string, port: number, name: string): Socket {
  const socket = connectSocket({ host, port, noDelay: true, keepAlive: true });
  return Object.assign(socket, { _host: name });
}

/** Where to connect: a unix socket, an address of the name, or the name itself. */
function wayTo(options: DatabaseOptions, ssl: DatabaseSslOptions | null, address: string | null): ConnectionOptions {
  const { host, port, socketPath = null } = options;
  if (socketPath !== null) return { socketPath };
  if (address !== null) return { stream: () => socketNamed(address, port, host) };
  return ssl?.verify && isIP(host) !== 0 ? { stream: () => socketNamed(host, port, host) } : {};
}

/** Certificates as they are at this moment. */
export const sslNow = ({ ssl }: DatabaseOptions): DatabaseSslOptions | null =>
  typeof ssl === 'function' ? ssl() : ssl;

/** `address`: one of those that the host's name stands for; null: by the name. */
export function connectionOptions(options: DatabaseOptions, address: string | null): ConnectionOptions {
  const password = typeof options.password === 'function' ? options.password() : options.password;
  const ssl = sslNow(options);
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    password,
    ...(options.database === null ? {} : { database: options.database }),
    connectTimeout: options.connectTimeoutMs,
    // A unix socket is not encrypted: nobody can stand between.
    ...(ssl && !options.socketPath ? { ssl: sslOf(ssl) } : {}),
    ...wayTo(options, ssl, address),
    ...(options.applicationName ? { connectAttributes: { program_name: options.applicationName } } : {}),
    // Passwords of PAM, LDAP and tokens of clouds go as they are: only where nobody else can read them.
    enableCleartextPlugin: Boolean(options.socketPath) || ssl?.verify === true,
    authPlugins: { client_ed25519: () => (challenge: Buffer) => signEd25519(password, challenge) },
    charset: 'UTF8MB4_GENERAL_CI',
    // Exact values: the caller turns strings into what it needs, nothing passes through a double on the way.
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    jsonStrings: true,
    multipleStatements: false,
    // A server must never be able to ask us for a local file.
    flags: ['-LOCAL_FILES'],
    maxPreparedStatements: PREPARED_STATEMENTS_MAX,
  };
}

/** For people. */
export const placeOf = ({ host, port, socketPath = null }: DatabaseOptions, address: string | null): string =>
  socketPath ?? `${addressText(host, port)}${address === null ? '' : ` (${address})`}`;
