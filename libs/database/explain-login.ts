/** What keeps a session from being opened, and which setting or statement mends it: by the server's number or the driver's code. */
import { tlsAdvice } from '#runtime';
import type { DatabaseOptions } from './options.ts';

const SIDE = { settings: 'DB', server: 'the server', hostSetting: 'DB_HOST' } as const;

type Told = Pick<DatabaseOptions, 'user' | 'database'> & { readonly encrypted: boolean; readonly certified: boolean };
type Advice = string | ((told: Told) => string);

const connections =
  'raise it on the server, or run fewer processes: each of ours takes up to 8 connections, and one for its leader lock';

const BY_ERRNO: Readonly<Record<number, Advice>> = {
  1040: `the server has no connection left (max_connections): ${connections}`,
  1044: ({ database }) =>
    `give DB_USER rights on database ${database ?? ''}, or correct DB_NAME: see Grants in the README`,
  // A server answers an account with REQUIRE SSL in the very same way.
  1045: ({ encrypted }) =>
    encrypted
      ? 'check DB_USER and DB_PASSWORD, and DB_SSL_CERT where the account asks for a certificate'
      : 'check DB_USER and DB_PASSWORD; an account with REQUIRE SSL needs DB_SSL=true, too',
  1049: ({ database }) => `create database ${database ?? ''}, or correct DB_NAME`,
  1129: 'the server has shut out this host after failed connections: run FLUSH HOSTS there',
  1130: ({ user }) => `the server lets no account in from this host: create '${user}'@'<this host>', or '${user}'@'%'`,
  1203: `the account has no connection left (max_user_connections): ${connections}`,
  1226: `the account has used up a limit of its own, such as MAX_USER_CONNECTIONS: ${connections}`,
  1251: 'the account logs in by a plugin that is not supported here: ALTER USER .. IDENTIFIED BY a password',
  1524: 'the account logs in by a plugin that the server has not loaded: have it loaded, or ALTER USER .. IDENTIFIED BY',
  1698: 'the account logs in without a password (unix_socket): ALTER USER .. IDENTIFIED BY, and set DB_PASSWORD',
  1820: 'the password of DB_USER has expired: ALTER USER .. IDENTIFIED BY a new one, and set DB_PASSWORD',
  1862: 'the password of DB_USER has expired: ALTER USER .. IDENTIFIED BY a new one, and set DB_PASSWORD',
  3118: 'the account of DB_USER is locked: ALTER USER .. ACCOUNT UNLOCK',
  3159: 'the server takes encrypted connections only: set DB_SSL to true',
  4151: 'the account of DB_USER is locked: ALTER USER .. ACCOUNT UNLOCK',
};

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check DB_HOST and DB_PORT',
  ENOTFOUND: 'there is no such host: check DB_HOST',
  EAI_AGAIN: 'the name server did not answer: check DB_HOST and the name server',
  HANDSHAKE_NO_SSL_SUPPORT: 'the server offers no TLS: turn it on there, or set DB_SSL to false',
  HANDSHAKE_SECURE_TRANSPORT_REQUIRED: 'the server takes encrypted connections only: set DB_SSL to true',
  AUTH_SWITCH_PLUGIN_ERROR:
    'the account logs in by a plugin that is not supported here: ALTER USER .. IDENTIFIED BY a password',
  PROTOCOL_CONNECTION_LOST: 'the connection was closed before the login was done: check DB_HOST and DB_PORT',
  PROTOCOL_PACKETS_OUT_OF_ORDER: 'what listens there speaks no MySQL protocol: check DB_HOST and DB_PORT',
};

/** Null where the code says all there is to say. */
export function explainLogin(errno: number | undefined, code: string | undefined, told: Told): string | null {
  const advice = errno === undefined ? undefined : BY_ERRNO[errno];
  if (advice !== undefined) return typeof advice === 'string' ? advice : advice(told);
  if (code === undefined) return null;
  return (
    tlsAdvice(code, { ...SIDE, certified: told.certified }) ??
    (Object.hasOwn(BY_CODE, code) ? (BY_CODE[code] as string) : null)
  );
}
