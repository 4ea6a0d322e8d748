/** Encryption and login of the database and of Kafka: certificates are read, and halves of a pair are refused. */
import { createPrivateKey } from 'node:crypto';
import type { OauthTokenConfig, SaslConfig, SslConfig } from './config.ts';
import { isPem } from './mask-value.ts';
import type { Problems } from './problems.ts';
import { readSmallFile } from './read-secret-file.ts';
import type { Resolved } from './resolve-values.ts';
import { envName, type SettingName } from './settings.ts';

/** A contradiction is reported under the setting as its user wrote it. */
export function labelOf(resolved: Resolved, name: SettingName): string {
  return resolved.given.get(name)?.label ?? envName(name);
}

const PEM_KIND = { CA: 'CERTIFICATE', CERT: 'CERTIFICATE', KEY: 'PRIVATE KEY' } as const;
export type SslPart = keyof typeof PEM_KIND;

interface Pem {
  readonly text: string | null;
  readonly file: string | null;
}

const NO_PEM: Pem = { text: null, file: null };
/** PKCS #8 says so in its head, older forms in a header below it. */
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** The SSL options of `DB` or `KAFKA`, with certificates as PEM text; null when not encrypted. */
export function buildSsl(
  side: 'DB' | 'KAFKA',
  resolved: Resolved,
  problems: Problems,
  warnings: string[],
): SslConfig | null {
  const { values, given } = resolved;
  const parts: readonly SslPart[] = ['CA', 'CERT', 'KEY'];
  const names = [...parts.map((part) => `${side}_SSL_${part}` as const), `${side}_SSL_KEY_PASSWORD` as const];
  if (!values[`${side}_SSL`]) {
    if (resolved.invalid.has(`${side}_SSL`)) return null;
    for (const name of names) {
      if (!given.has(name)) continue;
      problems.add(labelOf(resolved, name), `has no effect without ${envName(`${side}_SSL`)}=true; set both`);
    }
    return null;
  }
  const [ca = NO_PEM, cert = NO_PEM, key = NO_PEM] = parts.map((part) =>
    readPem(`${side}_SSL_${part}`, part, resolved, problems),
  );
  if (given.has(`${side}_SSL_CERT`) !== given.has(`${side}_SSL_KEY`)) {
    const [set, missing] = given.has(`${side}_SSL_CERT`) ? (['CERT', 'KEY'] as const) : (['KEY', 'CERT'] as const);
    const message = `needs ${envName(`${side}_SSL_${missing}`)} too; a client certificate and its key go together`;
    problems.add(labelOf(resolved, `${side}_SSL_${set}`), message);
  }
  const verify = values[`${side}_SSL_VERIFY`];
  if (!verify) warnings.push(`${envName(`${side}_SSL_VERIFY`)} is false: anybody can pose as the server`);
  const passphrase = values[`${side}_SSL_KEY_PASSWORD`];
  checkKey(side, key.text, passphrase, resolved, problems);
  const passphraseFile = given.get(`${side}_SSL_KEY_PASSWORD`)?.file ?? null;
  const files = { ca: ca.file, cert: cert.file, key: key.file, passphrase: passphraseFile };
  return { ca: ca.text, cert: cert.text, key: key.text, passphrase, verify, files };
}

/** A key that cannot be opened is known now, and not at the first connection. */
function checkKey(
  side: 'DB' | 'KAFKA',
  key: string | null,
  passphrase: string | null,
  resolved: Resolved,
  problems: Problems,
): void {
  const encrypted = key !== null && ENCRYPTED_KEY.test(key);
  const name = `${side}_SSL_KEY_PASSWORD` as const;
  if (encrypted && passphrase === null && !resolved.given.has(name)) {
    const hint = `is encrypted; set ${envName(name)} to its passphrase`;
    problems.add(labelOf(resolved, `${side}_SSL_KEY`), hint);
  }
  if (passphrase === null || key === null) return;
  try {
    createPrivateKey({ key, passphrase });
  } catch {
    problems.add(
      labelOf(resolved, name),
      `does not open ${envName(`${side}_SSL_KEY`)}; give the passphrase of that key`,
    );
  }
}

/** The PEM text of a setting that holds the text or the path of a file with it. The text never gets into a message. */
export function readPem(
  name: `${'DB' | 'KAFKA' | 'REDIS'}_SSL_${SslPart}`,
  part: SslPart,
  resolved: Resolved,
  problems: Problems,
): Pem {
  const value = resolved.values[name];
  const given = resolved.given.get(name);
  if (value === null || given === undefined) return NO_PEM;
  const path = isPem(value) || given.file !== undefined ? null : value;
  const file = path === null ? { text: value } : readSmallFile(path);
  if ('problem' in file) {
    problems.add(given.label, file.problem);
    return NO_PEM;
  }
  const pattern = new RegExp(`-----BEGIN [A-Z ]*${PEM_KIND[part]}-----`);
  if (pattern.test(file.text)) return { text: file.text, file: path ?? given.file ?? null };
  problems.add(given.label, `holds no PEM block of a ${PEM_KIND[part].toLowerCase()}; give one`);
  return NO_PEM;
}

const PASSWORD_LOGIN = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
const TOKEN_URL_ONLY = [
  'KAFKA_SASL_OAUTH_CLIENT_ID',
  'KAFKA_SASL_OAUTH_CLIENT_SECRET',
  'KAFKA_SASL_OAUTH_SCOPE',
] as const;
const TOKEN_LOGIN = [
  'KAFKA_SASL_OAUTH_TOKEN_COMMAND',
  'KAFKA_SASL_OAUTH_TOKEN_URL',
  'KAFKA_SASL_OAUTH_EXTENSIONS',
  ...TOKEN_URL_ONLY,
] as const;

/** The login to Kafka, or null without one (or after a problem was added). */
export function buildSasl(resolved: Resolved, problems: Problems, warnings: string[]): SaslConfig | null {
  const mechanism = resolved.values.KAFKA_SASL_MECHANISM;
  if (resolved.invalid.has('KAFKA_SASL_MECHANISM')) return null;
  if (mechanism === null) {
    refuseGiven(
      [...PASSWORD_LOGIN, ...TOKEN_LOGIN],
      'needs KAFKA_ROW_SENDER_KAFKA_SASL_MECHANISM too',
      resolved,
      problems,
    );
    return null;
  }
  if (!resolved.values.KAFKA_SSL && !resolved.invalid.has('KAFKA_SSL')) {
    warnings.push(
      `${envName('KAFKA_SASL_MECHANISM')} without ${envName('KAFKA_SSL')}: the login crosses the network in the clear`,
    );
  }
  if (mechanism === 'OAUTHBEARER') {
    refuseGiven(PASSWORD_LOGIN, 'has no place with OAUTHBEARER; remove it', resolved, problems);
    const token = buildToken(resolved, problems, warnings);
    const extensions = (resolved.values.KAFKA_SASL_OAUTH_EXTENSIONS ?? []).map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
    return token && { mechanism, token, extensions: Object.fromEntries(extensions) };
  }
  refuseGiven(TOKEN_LOGIN, `has no place with ${mechanism}; remove it`, resolved, problems);
  const missing = PASSWORD_LOGIN.filter((name) => !resolved.given.has(name));
  for (const name of missing) problems.add(envName(name), `required with ${mechanism}; set it`);
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = resolved.values;
  if (username === null || password === null) return null;
  const passwordFile = resolved.given.get('KAFKA_SASL_PASSWORD')?.file ?? null;
  return { mechanism, username, password, passwordFile };
}

function buildToken(resolved: Resolved, problems: Problems, warnings: string[]): OauthTokenConfig | null {
  const { values, given } = resolved;
  const byCommand = given.has('KAFKA_SASL_OAUTH_TOKEN_COMMAND');
  const byUrl = given.has('KAFKA_SASL_OAUTH_TOKEN_URL');
  if (byCommand === byUrl) {
    const both = `${envName('KAFKA_SASL_OAUTH_TOKEN_COMMAND')} or ${envName('KAFKA_SASL_OAUTH_TOKEN_URL')}`;
    problems.add(labelOf(resolved, 'KAFKA_SASL_MECHANISM'), `OAUTHBEARER needs one of ${both}; set exactly one`);
    return null;
  }
  if (byCommand) {
    refuseGiven(TOKEN_URL_ONLY, 'has no place with a token command; remove it', resolved, problems);
    const command = values.KAFKA_SASL_OAUTH_TOKEN_COMMAND;
    return command === null ? null : { kind: 'command', command };
  }
  for (const name of ['KAFKA_SASL_OAUTH_CLIENT_ID', 'KAFKA_SASL_OAUTH_CLIENT_SECRET'] as const) {
    if (!given.has(name)) problems.add(envName(name), 'required with a token URL; set it');
  }
  const url = values.KAFKA_SASL_OAUTH_TOKEN_URL;
  const clientId = values.KAFKA_SASL_OAUTH_CLIENT_ID;
  const clientSecret = values.KAFKA_SASL_OAUTH_CLIENT_SECRET;
  if (url === null || clientId === null || clientSecret === null) return null;
  if (url.startsWith('http:')) {
    warnings.push(`${envName('KAFKA_SASL_OAUTH_TOKEN_URL')} is not https: the client secret goes out in the clear`);
  }
  const clientSecretFile = given.get('KAFKA_SASL_OAUTH_CLIENT_SECRET')?.file ?? null;
  return { kind: 'url', url, clientId, clientSecret, clientSecretFile, scope: values.KAFKA_SASL_OAUTH_SCOPE };
}

function refuseGiven(names: readonly SettingName[], message: string, resolved: Resolved, problems: Problems): void {
  for (const name of names) {
    const given = resolved.given.get(name);
    if (given) problems.add(given.label, message);
  }
}
